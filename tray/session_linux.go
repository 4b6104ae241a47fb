package main

import "os"

// desktopSession names the display that the person sits at: one person may have
// several desktops, such as one beside that of a remote desktop.
func desktopSession() string {
	if name := os.Getenv("WAYLAND_DISPLAY"); name != "" {
		return "-" + name
	}
	return os.Getenv("DISPLAY")
}
