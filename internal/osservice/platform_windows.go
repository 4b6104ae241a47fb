package osservice

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
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
