package main

import (
	"strconv"

	"golang.org/x/sys/windows"
)

// desktopSession is the number of the session on this machine.
func desktopSession() string {
	var id uint32
	if windows.ProcessIdToSessionId(windows.GetCurrentProcessId(), &id) != nil {
		return ""
	}
	return "-" + strconv.FormatUint(uint64(id), 10)
}
