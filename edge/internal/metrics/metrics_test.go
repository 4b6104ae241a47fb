package metrics

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(body)
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := New("1.2.3")
	m.Watch(func() Gauges { return Gauges{ClientLinks: 2, HostLinks: 1, Streams: 7, BytesSpliced: 42} })
	m.Refused("label")
	m.Decision(true)
	m.Decision(false)
	m.Login("ok")
	m.Replayed(5)
	m.StreamEnded("closed")
	m.StreamEnded("whatever a daemon says")
	m.StreamEnded("and again")
	_, body := get(t, m.Handler(), "/metrics")
	for _, want := range []string{
		`sallyport_connections_refused_total{cause="label"} 1`,
		`sallyport_decisions_total{outcome="allow"} 1`,
		`sallyport_decisions_total{outcome="deny"} 1`,
		`sallyport_logins_total{outcome="ok"} 1`,
		`sallyport_streams_ended_total{code="closed"} 1`,
		`sallyport_streams_ended_total{code="other"} 2`,
		`sallyport_replayed_bytes_total 5`,
		`sallyport_links{role="client"} 2`,
		`sallyport_links{role="host"} 1`,
		`sallyport_streams 7`,
		`sallyport_spliced_bytes_total 42`,
		`sallyport_build_info{version="1.2.3"} 1`,
	} {
		if !strings.Contains(body, want+"\n") {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

func TestProfilesByAddressOnly(t *testing.T) {
	t.Parallel()
	m := New("")
	for host, want := range map[string]int{
		"127.0.0.1:9464": http.StatusOK, "[::1]:9464": http.StatusOK, "localhost:9464": http.StatusOK, "localhost": http.StatusOK,
		"evil.example:9464": http.StatusMisdirectedRequest, "127.0.0.1.evil.example": http.StatusMisdirectedRequest, "": http.StatusMisdirectedRequest,
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/debug/pprof/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		m.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: %d, want %d", host, w.Code, want)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	m := New("")
	if code, _ := get(t, m.Handler(), "/livez"); code != http.StatusOK {
		t.Errorf("/livez = %d", code)
	}
	if code, _ := get(t, m.Handler(), "/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz before it serves = %d", code)
	}
	m.SetReady(true)
	if code, _ := get(t, m.Handler(), "/readyz"); code != http.StatusOK {
		t.Errorf("/readyz = %d", code)
	}
}
