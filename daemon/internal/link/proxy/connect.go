package proxy

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// maxHeader bounds an answer, which is a line and a few fields.
const maxHeader = 16 << 10

// errEndless is a header without end.
var errEndless = errors.New("a header without end")

// connect asks an HTTP proxy for a way to target.
func connect(c net.Conn, user *url.Userinfo, target string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", target, target)
	if user != nil {
		password, _ := user.Password()
		b.WriteString("Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)) + "\r\n")
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(c, b.String()); err != nil {
		return err
	}
	limited := &io.LimitedReader{R: c, N: maxHeader}
	r := bufio.NewReader(limited)
	resp, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		if limited.N <= 0 {
			err = errEndless
		}
		return err
	}
	// The way is silent at first: whoever dials speaks first in TLS.
	return judge(resp, user != nil, r.Buffered() > 0)
}

// judge reads the answer to CONNECT.
func judge(resp *http.Response, shown, surplus bool) error {
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	switch {
	case resp.StatusCode == http.StatusProxyAuthRequired && shown:
		return &Error{Kind: Credentials, Said: "it does not take this user and password"}
	case resp.StatusCode == http.StatusProxyAuthRequired:
		return &Error{Kind: Credentials, Said: "it asks for a user and a password"}
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return &Error{Kind: Portal, Said: "it answered with a redirection to a page"}
	case resp.StatusCode/100 != 2:
		return &Error{Kind: Refused, Said: fmt.Sprintf("it answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))}
	case kind == "text/html" || surplus:
		return &Error{Kind: Portal, Said: "it answered with a page instead of a connection"}
	}
	return nil
}
