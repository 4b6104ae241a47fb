package store

import (
	"fmt"
	"io/fs"

	"golang.org/x/sys/windows"
)

func checkOwner(path, self string) error {
	h, err := openItself(path, windows.READ_CONTROL)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotPrivate, err)
	}
	defer windows.CloseHandle(h)
	_, err = ownedBy(h, path, self)
	return err
}

// openItself opens a file or directory, and a link instead of where it leads.
func openItself(path string, access uint32) (windows.Handle, error) {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return 0, err
	}
	h, err := windows.CreateFile(name, access|windows.FILE_READ_ATTRIBUTES, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE,
		nil, windows.OPEN_EXISTING, windows.FILE_FLAG_BACKUP_SEMANTICS|windows.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return h, nil
}

// ownedBy gives the access list of what is open, where a master owns it and it is
// no link.
func ownedBy(h windows.Handle, path, self string) (sddl string, err error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(h, &info); err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrNotPrivate, path, err)
	}
	if info.FileAttributes&windows.FILE_ATTRIBUTE_REPARSE_POINT != 0 {
		return "", fmt.Errorf("%w: %s is a link; name where it leads", ErrNotPrivate, path)
	}
	sd, err := windows.GetSecurityInfo(h, windows.SE_FILE_OBJECT, windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return "", fmt.Errorf("%w: access list of %s: %w", ErrNotPrivate, path, err)
	}
	owner, _, err := sd.Owner()
	if err != nil {
		return "", fmt.Errorf("%w: owner of %s: %w", ErrNotPrivate, path, err)
	}
	if !isMaster(owner.String(), self) {
		return "", fmt.Errorf("%w: %s belongs to another user (%s)", ErrNotPrivate, path, owner)
	}
	return sd.String(), nil
}

// setPrivate gives what is open a list that inherits nothing. What is in it inherits
// the new list.
func setPrivate(h windows.Handle, self string) error {
	sd, err := windows.SecurityDescriptorFromString(privateDACL(self))
	if err != nil {
		return err
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		return err
	}
	return windows.SetSecurityInfo(h, windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, dacl, nil)
}

func ownSID() (string, error) {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", fmt.Errorf("own user: %w", err)
	}
	return u.User.Sid.String(), nil
}
