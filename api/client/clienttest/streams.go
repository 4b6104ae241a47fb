package clienttest

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"

	"github.com/sallyport/sallyport/api"
)

// openStream echoes in capitals, both half-closes carried, until the client
// closes its side. With EndStreams(problem) it breaks off after the first line.
func (d *Daemon) openStream(w http.ResponseWriter, r *http.Request) {
	in, ok := read[api.StreamInput](w, r)
	if !ok {
		return
	}
	if !d.signedIn(r) {
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	d.mu.Lock()
	id, end := d.idLocked("str"), d.streams["end"]
	d.streams[id] = api.Stream{ID: id, Hostname: in.Hostname, Open: true}
	d.mu.Unlock()

	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+api.UpgradeStream+
		"\r\n"+api.StreamHeader+": "+id+"\r\n\r\n")
	echo(conn, rw.Reader, end.Problem != nil)
	d.mu.Lock()
	d.streams[id] = api.Stream{ID: id, Hostname: in.Hostname, Problem: end.Problem}
	d.mu.Unlock()
}

// signedIn waits for a session where HoldStreams says so, with a wanted login.
func (d *Daemon) signedIn(r *http.Request) bool {
	d.mu.Lock()
	hold := d.holdStreams
	d.mu.Unlock()
	if !hold {
		return true
	}
	d.Change(func(s *api.Status) {
		if len(s.Sessions) == 0 {
			s.Logins = append(s.Logins, api.Login{ID: d.idLocked("lgn"), Edge: "edge.site.com", Owner: s.User, State: api.LoginWanted, Waiting: 1})
		}
	})
	for {
		d.mu.Lock()
		signedIn, changed := len(d.status.Sessions) > 0, d.changed
		d.mu.Unlock()
		if signedIn {
			return true
		}
		if !d.await(r, changed) {
			return false
		}
	}
}

func echo(conn net.Conn, r *bufio.Reader, breakOff bool) {
	for {
		line, err := r.ReadBytes('\n')
		if _, err := conn.Write(bytes.ToUpper(line)); err != nil {
			return
		}
		if err != nil || breakOff {
			return
		}
	}
}

func (d *Daemon) streamEnd(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	s, ok := d.streams[r.PathValue("id")]
	d.mu.Unlock()
	if !ok {
		notFound(w)
		return
	}
	answer(w, http.StatusOK, s)
}
