//go:build linux

package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/internal/signin"
	"github.com/sallyport/sallyport/test/harness"
)

func middle(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// corpus are requests as browsers send them for pages of others: methods, paths,
// hosts, origins and what the browser says of the page, each with each.
func corpus(good string) []string {
	var all []string
	for _, method := range []string{"GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"} {
		for _, path := range []string{"/", "/v1/status", "/v1/forwards", "/v1/logins", "/callback?code=x"} {
			for _, from := range []string{
				"Host: evil.example\r\n", "Host: evil.example\r\nOrigin: http://evil.example\r\n", // a name that leads here
				"Host: " + good + "\r\nOrigin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\n",
				"Host: " + good + "\r\nOrigin: null\r\n",
				"Host: " + good + "\r\nOrigin: http://localhost:3000\r\nSec-Fetch-Site: same-site\r\n",
				"Host: " + good + "\r\nReferer: https://evil.example/\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: no-cors\r\n",
				"Host: " + good + "\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\nAccess-Control-Request-Method: DELETE\r\n",
				"Host: " + good + "\r\nOrigin: https://evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n",
			} {
				for _, body := range []string{"", `{"hostname":"x.site.com","listen":"localhost:7"}`, "token=1&code=2"} {
					all = append(all, fmt.Sprintf("%s %s HTTP/1.1\r\n%sContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", method, path, from, len(body), body))
				}
			}
		}
	}
	return all
}

// Pages is L3: the corpus against every listener of the machine.
func (m *Machine) Pages(ctx context.Context) (string, error) {
	d := m.w.Client()
	before, err := m.settings(ctx)
	if err != nil {
		return "", err
	}
	web, err := harness.FreePort(0)
	if err != nil {
		return "", err
	}
	if err := d.Ctl(ctx, "forward", "add", m.w.EchoApp(), fmt.Sprintf("localhost:%d", web), "--http").Err(); err != nil {
		return "", err
	}
	plainPort, err := harness.FreePort(0)
	if err != nil {
		return "", err
	}
	if err := d.Ctl(ctx, "forward", "add", m.w.EchoApp(), fmt.Sprintf("localhost:%d", plainPort)).Err(); err != nil {
		return "", err
	}
	defer func() {
		for _, p := range []int{web, plainPort} {
			d.Ctl(context.WithoutCancel(ctx), "forward", "rm", fmt.Sprintf("localhost:%d", p))
		}
	}()
	loopback, end, err := m.loginListener(ctx)
	if err != nil {
		return "", err
	}
	defer end()
	code, endCode, err := codePage(ctx)
	if err != nil {
		return "", err
	}
	defer endCode()
	_, bytes := m.w.Echoed()
	var report []string
	for _, l := range []struct {
		name, network, address string
		answers                bool // to anybody: pages and figures that change nothing
	}{
		{"plain forward", "tcp", fmt.Sprintf("127.0.0.1:%d", plainPort), false}, {"http forward", "tcp", fmt.Sprintf("127.0.0.1:%d", web), false},
		{"control socket", "unix", d.Socket, false}, {"login listener", "tcp", loopback, false}, {"code page", "tcp", code, false},
		{"edge", "tcp", m.w.Edge().Address(), true}, {"edge's metrics", "tcp", m.w.Edge().Metrics, true},
	} {
		n, passed, example := send(ctx, l.network, l.address)
		report = append(report, fmt.Sprintf("%s %d", l.name, n))
		if passed > 0 && !l.answers {
			return "", fmt.Errorf("%s: %d of %d were answered, as %q", l.name, passed, n, example)
		}
		if _, now := m.w.Echoed(); now != bytes {
			return "", fmt.Errorf("%s: %d bytes came to the service", l.name, now-bytes)
		}
	}
	end()
	after, err := m.settings(ctx)
	if err != nil {
		return "", err
	}
	got := "requests: " + strings.Join(report, ", ") + "; 0 bytes to the service"
	if after != before {
		return got, fmt.Errorf("settings changed: %s", after)
	}
	return got + ", 0 changes", nil
}

// settings are what requests could change: of everybody on the machine, but for
// the figure's own.
func (m *Machine) settings(ctx context.Context) (string, error) {
	st, err := m.w.Client().Status(ctx)
	if err != nil {
		return "", err
	}
	var list []string
	for _, f := range st.Forwards {
		if f.Owner != st.User {
			list = append(list, f.ID, f.Listen, fmt.Sprint(f.Paused))
		}
	}
	for _, s := range st.Sessions {
		if s.State == api.SessionActive {
			list = append(list, s.ID)
		}
	}
	for _, t := range st.Tunnels {
		list = append(list, t.ID, t.Origin)
	}
	for _, e := range st.Edges {
		list = append(list, e.ID, e.Name)
	}
	slices.Sort(list)
	b, err := json.Marshal(list)
	return string(b), err
}

// loginListener starts a login that waits for a browser, and finds its listener.
func (m *Machine) loginListener(ctx context.Context) (addr string, end func(), err error) {
	p, err := m.w.Client().Foreground("l3-login", "login")
	if err != nil {
		return "", nil, err
	}
	end = sync.OnceFunc(func() { p.Stop() })
	err = harness.Poll(ctx, "the listener of a login", func() (bool, error) {
		addr, err = listenerOf(p.PID())
		return addr != "", err
	})
	if err != nil {
		end()
	}
	return addr, end, err
}

// codePage serves the page on which the tray has an approval code typed.
func codePage(ctx context.Context) (addr string, end func(), err error) {
	p, err := signin.NewCodePage(ctx)
	if err != nil {
		return "", nil, err
	}
	u, err := url.Parse(p.URL())
	if err != nil {
		return "", nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx) }()
	return u.Host, sync.OnceFunc(func() { stop(); <-done }), nil
}

// listenerOf finds the port of loopback that a process listens on; "" for none.
func listenerOf(pid int) (string, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return "", err
	}
	open := map[string]bool{}
	for _, f := range files {
		if target, err := os.Readlink(f); err == nil {
			open[target] = true
		}
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(table)) {
		columns := strings.Fields(line)
		if len(columns) < 10 || columns[3] != "0A" || !open["socket:["+columns[9]+"]"] {
			continue
		}
		_, hex, _ := strings.Cut(columns[1], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		return fmt.Sprintf("127.0.0.1:%d", port), err
	}
	return "", nil
}

// send sends the corpus, each request on a connection of its own. passed are
// those that were answered with success.
func send(ctx context.Context, network, address string) (n, passed int, example string) {
	host := address
	if network == "unix" {
		host = "sallyport"
	}
	requests := corpus(host)
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for _, r := range requests {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			answer := exchange(ctx, network, address, r)
			mu.Lock()
			defer mu.Unlock()
			n++
			if ok := strings.HasPrefix(answer, "HTTP/1.1 2") || strings.HasPrefix(answer, "HTTP/1.1 101") || (answer != "" && !strings.HasPrefix(answer, "HTTP/1.")); ok {
				passed++
				example = answer[:min(len(answer), 60)] + " to " + r[:min(len(r), 120)]
			}
		})
	}
	wg.Wait()
	return n, passed, example
}

func exchange(ctx context.Context, network, address, request string) string {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, request); err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	buf := make([]byte, 256)
	n, _ := io.ReadAtLeast(c, buf, 1)
	return string(buf[:n])
}
