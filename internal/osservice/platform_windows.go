package osservice

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

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
	have, err := s.Config()
	if err != nil || have.StartType != mgr.StartAutomatic {
		return false
	}
	line, err := windows.DecomposeCommandLine(have.BinaryPathName)
	return err == nil && slices.EqualFunc(line, append([]string{c.Program}, c.arguments(platform)...), strings.EqualFold)
}

// unregistered leaves out of an error what does not matter once the service is gone: the
// library wants an entry of the event log, too, which a service of the MSI has not.
func (c *Control) unregistered(err error) error {
	if state, known := c.asked(); known && state == NotInstalled {
		return nil
	}
	return err
}
