package service

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

// restartAlways has the manager start the service again a second after it ended
// unasked, however often: the last action goes on counting. An end with an error
// code is none that the manager takes for a crash by itself.
//
// The service says so at each start, since the MSI cannot: wixl knows no
// ServiceConfig.
func restartAlways() (err error) {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	defer func() { err = errors.Join(err, m.Disconnect()) }()
	name, err := windows.UTF16PtrFromString(Name)
	if err != nil {
		return err
	}
	// SERVICE_START is what an action that restarts needs.
	h, err := windows.OpenService(m.Handle, name, windows.SERVICE_CHANGE_CONFIG|windows.SERVICE_START)
	if err != nil {
		return fmt.Errorf("open service %s: %w", Name, err)
	}
	s := &mgr.Service{Name: Name, Handle: h}
	defer func() { err = errors.Join(err, s.Close()) }()
	const day = 24 * 60 * 60 // without an end: seconds until the count begins anew
	if err := s.SetRecoveryActions([]mgr.RecoveryAction{{Type: mgr.ServiceRestart, Delay: time.Second}}, day); err != nil {
		return fmt.Errorf("set recovery of %s: %w", Name, err)
	}
	if err := s.SetRecoveryActionsOnNonCrashFailures(true); err != nil {
		return fmt.Errorf("set recovery of %s after an error: %w", Name, err)
	}
	return nil
}
