//go:build !windows

package paths

import (
	"os"
	"os/user"
	"strconv"
)

func machine() bool {
	uid := os.Geteuid()
	if uid == 0 {
		return true
	}
	account, err := user.Lookup(ServiceAccount)
	return err == nil && account.Uid == strconv.Itoa(uid)
}
