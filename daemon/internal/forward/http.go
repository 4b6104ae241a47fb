package forward

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/wire"
)

// maxHead bounds the head of one request: what the common servers take.
const maxHead = 64 << 10

// requests carries the requests of an http forward, each looked at before it
// goes: a browser keeps connections and may send those of several pages on one.
// It returns nil once the connection speaks something else (an upgrade), which
// it may do from the start: then it is no browser's.
func (f *Forwarder) requests(local io.Reader, s *wire.Stream) (n int64, err error) {
	r := bufio.NewReaderSize(local, 4<<10)
	out := &counter{w: s}
	if other, err := notRequests(r); other || err != nil {
		_, werr := io.CopyN(out, r, int64(r.Buffered()))
		return out.n, cmp.Or(werr, err)
	}
	for {
		head, err := readHead(r)
		if err != nil {
			return out.n, err
		}
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		if err != nil {
			return out.n, f.foreign("it is not HTTP/1.1")
		}
		if why := f.suspicious(req); why != "" {
			return out.n, f.foreign(why)
		}
		if _, err := out.Write(head); err != nil {
			return out.n, err
		}
		switch {
		case req.Method == http.MethodConnect || req.Header.Get("Upgrade") != "":
			_, err := io.CopyN(out, r, int64(r.Buffered()))
			return out.n, err
		case len(req.TransferEncoding) > 0:
			err = copyChunks(out, r)
		default:
			_, err = io.CopyN(out, r, req.ContentLength)
		}
		if err != nil {
			return out.n, err
		}
	}
}

// notRequests says whether something else than HTTP comes. What came before an
// error is none.
func notRequests(r *bufio.Reader) (bool, error) {
	for n := 1; ; n++ {
		if _, err := r.Peek(n); err != nil {
			return false, err
		}
		n = r.Buffered()
		b, _ := r.Peek(n)
		if v := verdictOf(b); v != undecided {
			return v == plain, nil
		}
	}
}

// readHead reads a request up to its empty line. io.EOF: there is none.
func readHead(r *bufio.Reader) ([]byte, error) {
	var head []byte
	for {
		line, err := r.ReadSlice('\n')
		head = append(head, line...)
		switch {
		case len(head) > maxHead:
			return nil, &api.Problem{Code: api.CodeLimit, Title: "The head of a request is too long", Detail: fmt.Sprintf("it has more than %d bytes", maxHead)}
		case err == bufio.ErrBufferFull:
			continue
		case err != nil:
			if len(head) > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if len(line) <= 2 && strings.TrimSpace(string(line)) == "" && len(head) > len(line) && bytes.HasSuffix(head[:len(head)-len(line)], []byte("\n")) {
			return head, nil
		}
	}
}

// suspicious says why a request is not one of the owner's own pages or
// programs; "" if it may be.
func (f *Forwarder) suspicious(r *http.Request) string {
	host := r.Host
	if !f.own(host) {
		// A name that an attacker's server lets lead to this machine.
		return fmt.Sprintf("its Host is %.80q", host)
	}
	if len(r.Header["Origin"]) > 1 {
		return "it has several Origins"
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, host) {
			return fmt.Sprintf("it comes from a page of %.80q", origin)
		}
	}
	switch site := r.Header.Get("Sec-Fetch-Site"); {
	case site == "" || site == "same-origin" || site == "none":
	case r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" &&
		(r.Method == http.MethodGet || r.Method == http.MethodHead): // a link that was followed
	default:
		return "it comes from another page"
	}
	return ""
}

// own says whether a Host names this forward: localhost, an address, or the
// hostname that it leads to.
func (f *Forwarder) own(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, "["), "]"))
	if name == "localhost" || name == strings.ToLower(f.cfg.Hostname) {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

func (f *Forwarder) foreign(why string) *api.Problem {
	return &api.Problem{
		Code: api.CodePermission, Title: "A request of a web page was refused", Detail: why,
		Hint: "Use http://" + f.cfg.Listen + "/ itself.",
	}
}

// copyChunks carries a chunked body with its trailer, as it is.
func copyChunks(out io.Writer, r *bufio.Reader) error {
	for last := false; ; {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
		text := strings.TrimSpace(string(line))
		if last { // the trailer, up to an empty line
			if text == "" {
				return nil
			}
			continue
		}
		size, _, _ := strings.Cut(text, ";")
		var n int64
		if _, err := fmt.Sscanf(size, "%x", &n); err != nil || n < 0 {
			return fmt.Errorf("chunk size %.20q", size)
		}
		if last = n == 0; last {
			continue
		}
		if _, err := io.CopyN(out, r, n+2); err != nil {
			return err
		}
	}
}

// counter counts what was written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}
