package main

// desktopSession has no name: macOS gives each person one.
func desktopSession() string { return "" }
