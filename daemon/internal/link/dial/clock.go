package dial

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// askTimeout bounds the question for the edge's time, which is asked only
	// to choose the right words for a failure.
	askTimeout = 3 * time.Second
	// MaxSkew is how far clocks may differ before a person is told.
	MaxSkew = 5 * time.Minute
	// maxAnswer bounds what the edge may say to it.
	maxAnswer = 16 << 10
)

// clockSkew asks the edge for its time after a certificate was refused for its
// dates. It returns by how much this machine's clock is ahead, where that alone
// explains the refusal: the same certificates are good at the edge's time. The
// answer is not authenticated; it decides nothing but words, and no device key
// is shown.
func clockSkew(ctx context.Context, t Target, roots *x509.CertPool, now func() time.Time) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	edge, certs, err := askTime(ctx, t)
	if err != nil {
		return 0
	}
	skew := now().Sub(edge)
	if skew.Abs() <= MaxSkew || verifyAt(certs, t.Name, roots, edge) != nil {
		return 0
	}
	return skew
}

// askTime reads the Date of an answer of the edge's web side.
func askTime(ctx context.Context, t Target) (time.Time, []*x509.Certificate, error) {
	raw, err := TCP(ctx, t, askTimeout)
	if err != nil {
		return time.Time{}, nil, err
	}
	defer raw.Close()
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	// Not verified: verifyAt judges the certificates at the time that is told.
	conn := tls.Client(raw, &tls.Config{ServerName: t.Name, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err := conn.HandshakeContext(ctx); err != nil {
		return time.Time{}, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, "https://"+t.String()+"/.well-known/sallyport", nil)
	if err != nil {
		return time.Time{}, nil, err
	}
	req.Close = true
	if err := req.Write(conn); err != nil {
		return time.Time{}, nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxAnswer)), req)
	if err != nil {
		return time.Time{}, nil, err
	}
	resp.Body.Close()
	at, err := http.ParseTime(resp.Header.Get("Date"))
	return at, conn.ConnectionState().PeerCertificates, err
}

// verifyAt judges certificates as a handshake at another time would.
func verifyAt(certs []*x509.Certificate, name string, roots *x509.CertPool, at time.Time) error {
	if len(certs) == 0 {
		return errors.New("no certificate")
	}
	opts := x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: at, Intermediates: x509.NewCertPool()}
	for _, c := range certs[1:] {
		opts.Intermediates.AddCert(c)
	}
	_, err := certs[0].Verify(opts)
	return err
}
