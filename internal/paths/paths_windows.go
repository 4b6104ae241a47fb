package paths

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

func machineState() string {
	dir := os.Getenv("ProgramData")
	if dir == "" {
		dir = `C:\ProgramData`
	}
	return filepath.Join(dir, "Sallyport")
}

func machineSocket() string { return `\\.\pipe\sallyport` }

func userState() (string, error) {
	dir := os.Getenv("LOCALAPPDATA")
	if dir == "" {
		return "", errors.New("%LOCALAPPDATA% is not set")
	}
	return filepath.Join(dir, "Sallyport"), nil
}

// userSocket carries the SID, which unlike a name is unique and has no odd
// characters.
func userRuntime() (string, error) { return userState() }

func userSocket() (string, error) {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return "", err
	}
	return `\\.\pipe\sallyport-` + u.User.Sid.String(), nil
}

// machine is true for LocalSystem and the two service accounts of Windows; an
// administrator's own shell runs a daemon of that user.
func machine() bool {
	u, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return false
	}
	for _, kind := range []windows.WELL_KNOWN_SID_TYPE{windows.WinLocalSystemSid, windows.WinLocalServiceSid, windows.WinNetworkServiceSid} {
		if u.User.Sid.IsWellKnown(kind) {
			return true
		}
	}
	return false
}
