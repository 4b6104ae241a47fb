package osservice

// EnsureAccount: launchd runs the daemon as root here; what it opens for people
// is decided by their identity, as everywhere.
func EnsureAccount(string, string, string) error { return nil }

// RemoveAccount: see EnsureAccount.
func RemoveAccount(string, string) error { return nil }
