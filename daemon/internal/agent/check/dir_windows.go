package check

import "errors"

// ownsDirectory: file rights of Windows are not read yet, so sockets in files
// are kept for administrators there.
func ownsDirectory(string, string) error {
	return errors.New("on this system only administrators may have forwards on a socket in a file")
}
