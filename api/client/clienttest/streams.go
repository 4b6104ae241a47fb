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
