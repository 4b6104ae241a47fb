package osservice

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

func administrator() bool {
	return windows.GetCurrentProcessToken().IsElevated()
}

// checkProgram only sees to it that there is one: below Program Files the access
// lists let nobody else write.
func checkProgram(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no program", path)
	}
	return nil
}

// EnsureAccount: services run as LocalSystem here, which needs no making.
func EnsureAccount(string, string, string) error { return nil }

// RemoveAccount: see EnsureAccount.
func RemoveAccount(string, string) error { return nil }

// open asks the manager for the service with the rights that everybody has; the
// library asks for those of an administrator.
func (c *Control) open() (*mgr.Service, error) {
	m, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return nil, err
	}
	defer windows.CloseServiceHandle(m)
	name, err := windows.UTF16PtrFromString(c.Name)
	if err != nil {
		return nil, err
	}
	h, err := windows.OpenService(m, name, windows.SERVICE_QUERY_CONFIG|windows.SERVICE_QUERY_STATUS)
	if err != nil {
		return nil, err
	}
	return &mgr.Service{Name: c.Name, Handle: h}, nil
}

// asked is what the manager says of the service; false where it says nothing.
func (c *Control) asked() (State, bool) {
	s, err := c.open()
	if errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST) {
		return NotInstalled, true
	}
	if err != nil {
		return "", false
	}
	defer s.Close()
	status, err := s.Query()
	switch {
	case err != nil:
		return "", false
	case status.State == svc.Running:
		return Running, true
	}
	return Stopped, true
}

// isRegistered says whether the manager has just this service.
func (c *Control) isRegistered(platform string) bool {
	s, err := c.open()
	if err != nil {
		return false
	}
	defer s.Close()
	command, start, err := configOf(s.Handle)
	if err != nil || start != mgr.StartAutomatic {
		return false
	}
	// The library quotes the program, Wine's installer does not.
	want := strings.Join(append([]string{c.Program}, c.arguments(platform)...), " ")
	return strings.EqualFold(strings.ReplaceAll(command, `"`, ""), want)
}

// unregistered leaves out of an error what does not matter once the service is gone: the
// library wants an entry of the event log, too, which a service of the MSI has not.
func (c *Control) unregistered(err error) error {
	if state, known := c.asked(); known && state == NotInstalled {
		return nil
	}
	return err
}

// configOf is the command line of a service, and when it starts. (That of package mgr asks
// for more, which Wine does not know.)
func configOf(h windows.Handle) (command string, start uint32, err error) {
	for size := uint32(1 << 10); ; {
		b := make([]byte, size)
		c := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&b[0]))
		err := windows.QueryServiceConfig(h, c, size, &size)
		switch {
		case err == nil:
			return windows.UTF16PtrToString(c.BinaryPathName), c.StartType, nil
		case !errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) || size <= uint32(len(b)):
			return "", 0, err
		}
	}
}
