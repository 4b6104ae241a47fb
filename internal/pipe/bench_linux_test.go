package pipe_test

import (
	"crypto/tls"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/internal/sockopt"
)

// plain takes pacing off the ends of a path, as an application on another
// system would have it.
func plain(conns ...*net.TCPConn) {
	for _, c := range conns {
		sockopt.Local(c)
		sockopt.Linger(c, false)
	}
}

// cpu is the processor time of the process so far, in seconds.
func cpu() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

func bulk(b *testing.B, app, service net.Conn) {
	go io.Copy(io.Discard, struct{ io.Reader }{service})
	buf := make([]byte, 256<<10)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		if _, err := app.Write(buf); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpu()-start)/(float64(b.N)*float64(len(buf))/1e9), "cpu-s/GB")
}

func pingPong(b *testing.B, app, service net.Conn) {
	go io.Copy(service, struct{ io.Reader }{service})
	buf := make([]byte, 64)
	b.ReportAllocs()
	start := cpu()
	for b.Loop() {
		if _, err := app.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(app, buf); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpu()-start)/float64(b.N)*1e6, "cpu-us/op")
}

// newBarePath is the same path with one TLS connection for one stream, and
// nothing else: what the trunk is compared with.
func newBarePath(b *testing.B) (app, service *net.TCPConn) {
	app, local := tcpPair(b)
	origin, service := tcpPair(b)
	client, edgeClient := tcpPair(b)
	host, edgeHost := tcpPair(b)
	for _, c := range []net.Conn{client, edgeClient, host, edgeHost} {
		sockopt.Carrier(c)
	}
	plain(app, local, origin, service)
	cert := device(b)
	go io.Copy(edgeClient, edgeHost)
	go io.Copy(edgeHost, edgeClient)
	tlsClient := tls.Client(client, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	tlsHost := tls.Server(host, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})
	join := func(a, b net.Conn) {
		buf := make([]byte, 64<<10)
		io.CopyBuffer(struct{ io.Writer }{a}, struct{ io.Reader }{b}, buf)
		a.Close()
	}
	go join(tlsClient, local)
	go join(local, tlsClient)
	go join(tlsHost, origin)
	go join(origin, tlsHost)
	b.Cleanup(func() {
		for _, c := range []net.Conn{app, local, origin, service, client, edgeClient, host, edgeHost} {
			c.Close()
		}
	})
	return app, service
}

func BenchmarkBulk(b *testing.B) {
	p := newPath(b)
	plain(p.app, p.service)
	bulk(b, p.app, p.service)
}

func BenchmarkBulkBare(b *testing.B) {
	app, service := newBarePath(b)
	bulk(b, app, service)
}

func BenchmarkPingPong(b *testing.B) {
	p := newPath(b)
	plain(p.app, p.service)
	pingPong(b, p.app, p.service)
}

func BenchmarkPingPongBare(b *testing.B) {
	app, service := newBarePath(b)
	pingPong(b, app, service)
}
