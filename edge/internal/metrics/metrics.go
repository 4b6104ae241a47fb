package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Gauges are what is read when somebody asks.
type Gauges struct {
	ClientLinks, HostLinks, WaitingLinks int
	Trunks, Streams, Parked              int
	BytesSpliced                         uint64
}

// Metrics counts. Use New; its counting methods never block.
type Metrics struct {
	registry  *prometheus.Registry
	refused   *prometheus.CounterVec
	decisions *prometheus.CounterVec
	logins    *prometheus.CounterVec
	streams   *prometheus.CounterVec
	resumes   *prometheus.CounterVec
	replayed  prometheus.Counter
	ready     atomic.Bool
}

// New makes the metrics of one edge.
func New(version string) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		refused:   counter("connections_refused_total", "Connections dropped before they were a link, a trunk or the web.", "cause"),
		decisions: counter("decisions_total", "Decisions on tickets and streams.", "outcome"),
		logins:    counter("logins_total", "Login attempts that came to an end.", "outcome"),
		streams:   counter("streams_ended_total", "Granted streams that are over.", "code"),
		resumes:   counter("resumes_total", "Streams that changed what carries them: resumed after the loss of a trunk, moved to a lane or back, expired did not come in time.", "outcome"),
	}
	m.replayed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sallyport_replayed_bytes_total", Help: "Payload that daemons say they sent again, on what carried a stream next.",
	})
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sallyport_build_info", Help: "Version of the edge.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	m.registry.MustRegister(info, m.refused, m.decisions, m.logins, m.streams, m.resumes, m.replayed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sallyport_" + name, Help: help}, labels)
}

// Watch adds what is read when somebody asks. Call it once.
func (m *Metrics) Watch(read func() Gauges) { m.registry.MustRegister(&gauges{read: read}) }

// Refused counts a connection that was dropped, by cause.
func (m *Metrics) Refused(cause string) { m.refused.WithLabelValues(cause).Inc() }

// Decision counts a decision.
func (m *Metrics) Decision(allow bool) {
	outcome := "deny"
	if allow {
		outcome = "allow"
	}
	m.decisions.WithLabelValues(outcome).Inc()
}

// Login counts an attempt that came to an end.
func (m *Metrics) Login(outcome string) { m.logins.WithLabelValues(outcome).Inc() }

// StreamEnded counts a stream that is over. A code that is none of the
// protocol's counts as other: a daemon does not choose how many rows there are.
func (m *Metrics) StreamEnded(code string) {
	if !known[code] {
		code = "other"
	}
	m.streams.WithLabelValues(code).Inc()
}

// Resumed counts a stream that goes on with another trunk, or moved to a lane or from
// one.
func (m *Metrics) Resumed(moved bool) {
	outcome := "resumed"
	if moved {
		outcome = "moved"
	}
	m.resumes.WithLabelValues(outcome).Inc()
}

// Expired counts a stream that could have gone on and did not do so in time.
func (m *Metrics) Expired() { m.resumes.WithLabelValues("expired").Inc() }

// Replayed counts bytes that a daemon sent again.
func (m *Metrics) Replayed(bytes uint64) { m.replayed.Add(float64(bytes)) }

// SetReady says whether the edge serves; /readyz tells it.
func (m *Metrics) SetReady(ready bool) { m.ready.Store(ready) }

// Handler serves /metrics, /livez, /readyz and /debug/pprof/.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !m.ready.Load() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /debug/pprof/", byAddress(pprof.Index))
	mux.HandleFunc("GET /debug/pprof/profile", byAddress(pprof.Profile))
	mux.HandleFunc("GET /debug/pprof/trace", byAddress(pprof.Trace))
	return mux
}

// byAddress answers only who asks by address or as localhost: a web page that has
// its own name resolve to this machine is refused.
func byAddress(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = strings.Trim(r.Host, "[]")
		}
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
			http.Error(w, "profiles are served by address only, such as http://127.0.0.1:9464/debug/pprof/", http.StatusMisdirectedRequest)
			return
		}
		next(w, r)
	}
}

// Serve answers on l until ctx ends.
func (m *Metrics) Serve(ctx context.Context, l net.Listener, log *slog.Logger) error {
	server := &http.Server{
		Handler: m.Handler(), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}

// gauges reads all at once, so that what one scrape shows fits together.
type gauges struct{ read func() Gauges }

var (
	linksDesc   = prometheus.NewDesc("sallyport_links", "Links of daemons.", []string{"role"}, nil)
	waitingDesc = prometheus.NewDesc("sallyport_links_waiting", "Links with neither session nor connector.", nil, nil)
	trunksDesc  = prometheus.NewDesc("sallyport_trunks", "Trunks that are joined.", nil, nil)
	streamsDesc = prometheus.NewDesc("sallyport_streams", "Streams that are granted.", nil, nil)
	parkedDesc  = prometheus.NewDesc("sallyport_streams_parked", "Streams that wait for another trunk.", nil, nil)
	splicedDesc = prometheus.NewDesc("sallyport_spliced_bytes_total", "Bytes of all trunks, both directions.", nil, nil)
)

// Describe names the gauges.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{linksDesc, waitingDesc, trunksDesc, streamsDesc, parkedDesc, splicedDesc} {
		ch <- d
	}
}

// Collect reads them.
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	x := g.read()
	set := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, t, v, labels...)
	}
	set(linksDesc, prometheus.GaugeValue, float64(x.ClientLinks), "client")
	set(linksDesc, prometheus.GaugeValue, float64(x.HostLinks), "host")
	set(waitingDesc, prometheus.GaugeValue, float64(x.WaitingLinks))
	set(trunksDesc, prometheus.GaugeValue, float64(x.Trunks))
	set(streamsDesc, prometheus.GaugeValue, float64(x.Streams))
	set(parkedDesc, prometheus.GaugeValue, float64(x.Parked))
	set(splicedDesc, prometheus.CounterValue, float64(x.BytesSpliced))
}
