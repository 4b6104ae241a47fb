package service

import "os"

// endedAlone ends the process: the Service Control Manager waits for nothing
// else, and restarts what ended with an error.
func endedAlone(err error) {
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}
