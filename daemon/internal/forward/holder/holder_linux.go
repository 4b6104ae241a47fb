package holder

import (
	"bufio"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// tcpListen is the state of a listening socket in /proc/net/tcp.
const tcpListen = "0A"

// findSocket looks a listening socket up by its port.
func findSocket(addr netip.AddrPort) Holder {
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if h, ok := findIn(name, addr.Port()); ok {
			return h
		}
	}
	return Holder{}
}

// findIn reads one table: columns are slot, local address, remote address,
// state, ..., uid (7), timeout, inode (9).
func findIn(name string, port uint16) (Holder, bool) {
	file, err := os.Open(name)
	if err != nil {
		return Holder{}, false
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		columns := strings.Fields(lines.Text())
		if len(columns) < 10 || columns[3] != tcpListen {
			continue
		}
		_, hex, _ := strings.Cut(columns[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); err != nil || uint16(n) != port {
			continue
		}
		inode, err := strconv.ParseUint(columns[9], 10, 64)
		if err != nil || inode == 0 {
			continue
		}
		h := Holder{socket: inode, User: "uid " + columns[7]}
		if u, err := user.LookupId(columns[7]); err == nil {
			h.User = u.Username
		}
		return h, true
	}
	return Holder{}, false
}

// findProgram looks for the process that has the socket open. Other users'
// processes show it to root only.
func findProgram(h *Holder) {
	if h.socket == 0 {
		return
	}
	want := "socket:[" + strconv.FormatUint(h.socket, 10) + "]"
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return
	}
	for _, process := range processes {
		if !hasOpen(process, want) {
			continue
		}
		h.PID, _ = strconv.Atoi(filepath.Base(process))
		if name, err := os.ReadFile(filepath.Join(process, "comm")); err == nil {
			h.Program = strings.TrimSpace(string(name))
		}
		return
	}
}

func hasOpen(process, want string) bool {
	folder := filepath.Join(process, "fd")
	files, err := os.ReadDir(folder)
	if err != nil {
		return false
	}
	for _, f := range files {
		if target, err := os.Readlink(filepath.Join(folder, f.Name())); err == nil && target == want {
			return true
		}
	}
	return false
}
