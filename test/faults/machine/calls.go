//go:build linux

package machine

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/api"
)

// call is one request to the control API, and the answer that is specified.
type call struct {
	Method, Path, Body string
	// Upgrade asks for raw bytes.
	Upgrade bool
	// Undo removes what was made: what is one's own can be removed.
	Undo bool
	// Want is the status; 0 takes any.
	Want int
}

// answer is what came.
type answer struct {
	Code     int
	Location string
	Line     string // the first of the body
	err      error
}

// caller makes the calls of an order.
type caller struct {
	order
	client http.Client
	next   atomic.Uint32 // for ports
	mu     sync.Mutex
	tally  tally
}

// calls makes all calls of the order, Times over, each round in the order of the
// list and the first round alone: later calls stand on it.
func (o order) calls() tally {
	c := &caller{order: o, client: http.Client{Timeout: patience, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", o.Address)
		},
		MaxIdleConnsPerHost: o.AtOnce,
	}}}
	defer c.client.CloseIdleConnections()
	c.round()
	var wg sync.WaitGroup
	rounds := make(chan struct{}, o.Times)
	for range o.Times - 1 {
		rounds <- struct{}{}
	}
	close(rounds)
	for range max(o.AtOnce, 1) {
		wg.Go(func() {
			for range rounds {
				c.round()
			}
		})
	}
	wg.Wait()
	c.tally.sum()
	return c.tally
}

func (c *caller) round() {
	for _, one := range c.Calls {
		a := c.make(one)
		if one.Undo && a.Code == http.StatusCreated {
			c.make(call{Method: http.MethodDelete, Path: a.Location, Want: http.StatusNoContent})
		}
	}
}

// make makes one call and notes what is wrong with its answer.
func (c *caller) make(one call) answer {
	began := time.Now()
	a := c.ask(one)
	took := time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.Tried++
	c.tally.took = append(c.tally.took, took)
	wrong := ""
	switch {
	case a.err != nil:
		wrong = a.err.Error()
	case one.Want == http.StatusCreated && a.Code == http.StatusTooManyRequests: // of one's own, by the edge's limits
	case one.Want != 0 && a.Code != one.Want:
		wrong = fmt.Sprintf("%d instead of %d: %.200s", a.Code, one.Want, a.Line)
	}
	for _, h := range c.Hide {
		if strings.Contains(a.Line, h) && !strings.Contains(one.Path+one.Body, h) {
			wrong = "it tells of " + h
		}
	}
	if wrong == "" {
		c.tally.Answered++
	} else if c.tally.Errors == "" || c.Times == 1 {
		c.tally.Errors += fmt.Sprintf("%s %s: %s; ", one.Method, one.Path, wrong)
	}
	if c.Times == 1 {
		c.tally.Answers = append(c.tally.Answers, a)
	}
	return a
}

// ask sends a request and reads the first line of its answer: streams of lines
// have no end.
func (c *caller) ask(one call) (a answer) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	port := strconv.Itoa(20_000 + int(c.next.Add(1)%20_000))
	var body io.Reader
	if one.Body != "" {
		body = strings.NewReader(strings.ReplaceAll(one.Body, "PORT", port))
	}
	r, err := http.NewRequestWithContext(ctx, one.Method, "http://sallyport"+one.Path, body)
	if err != nil {
		return answer{err: err}
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for k, v := range c.Headers {
		r.Header.Set(k, v)
	}
	if one.Upgrade {
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", api.UpgradeStream)
	}
	answered, err := c.client.Do(r)
	if err != nil {
		return answer{err: err}
	}
	defer answered.Body.Close()
	a = answer{Code: answered.StatusCode, Location: answered.Header.Get("Location")}
	if a.Code == http.StatusSwitchingProtocols {
		a.Location = answered.Header.Get(api.StreamHeader)
		return a
	}
	a.Line, err = bufio.NewReader(answered.Body).ReadString('\n')
	if err != nil && err != io.EOF {
		a.err = err
	}
	if !strings.Contains(answered.Header.Get("Content-Type"), "ndjson") {
		io.Copy(io.Discard, answered.Body) // the connection is used again
	}
	return a
}

// idle are connections that are kept until the process ends.
var idle struct {
	mu  sync.Mutex
	all []net.Conn
}

// stay asks once on a connection and then keeps it.
func (o order) stay() (bool, error) {
	c, err := net.DialTimeout("unix", o.Address, patience)
	if err != nil {
		return false, err
	}
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET "+api.Prefix+"/version HTTP/1.1\r\nHost: sallyport\r\n\r\n"); err != nil {
		c.Close()
		return false, err
	}
	if n, err := c.Read(make([]byte, 512)); n == 0 {
		c.Close()
		return false, err
	}
	idle.mu.Lock()
	idle.all = append(idle.all, c)
	idle.mu.Unlock()
	return true, nil
}

// pour sends a body of 64 MiB, or as much of it as is taken.
func (o order) pour() (bool, error) {
	c, err := net.DialTimeout("unix", o.Address, patience)
	if err != nil {
		return false, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	const size = 64 << 20
	fmt.Fprintf(c, "POST %s/forwards HTTP/1.1\r\nHost: sallyport\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", api.Prefix, size)
	piece := make([]byte, 64<<10)
	for sent := 0; sent < size; sent += len(piece) {
		if _, err := c.Write(piece); err != nil {
			break // refused meanwhile
		}
	}
	status, err := bufio.NewReader(c).ReadString('\n')
	return strings.Contains(status, " 413 "), err
}
