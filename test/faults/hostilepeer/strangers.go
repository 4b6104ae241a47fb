package hostilepeer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

type play = func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error)

// stranger connects, sends bytes and waits for the end.
func stranger(bytes func(s *Stage) ([]byte, error)) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		raw, err := s.Edge.Dial(ctx)
		if err != nil {
			return "", 0, err
		}
		defer raw.Close()
		b, err := bytes(s)
		if err != nil {
			return "", 0, err
		}
		speak.WriteAll(raw, b)
		return judge(raw, within, nil)
	}
}

// strange does a TLS handshake that is wrong, and reads what comes of it.
func strange(change func(c *tls.Config) error) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		raw, err := s.Edge.Dial(ctx)
		if err != nil {
			return "", 0, err
		}
		defer raw.Close()
		id, err := speak.NewIdentity()
		if err != nil {
			return "", 0, err
		}
		cfg := speak.LinkTLS(s.Edge, id)
		if err := change(cfg); err != nil {
			return "", 0, err
		}
		start := time.Now()
		c := tls.Client(raw, cfg)
		if err := c.HandshakeContext(ctx); err != nil {
			return Cut, time.Since(start), nil
		}
		l := &speak.Link{Conn: c}
		if _, err := l.Hello(id, "client", nil); err != nil {
			return Cut, time.Since(start), nil
		}
		return Borne, time.Since(start), nil
	}
}

func strangers() []Behaviour {
	b := []Behaviour{
		{Name: "says nothing", Rests: true, Within: 6500 * time.Millisecond, play: stranger(func(*Stage) ([]byte, error) { return nil, nil })},
		{Name: "stalls half way through its ClientHello", Rests: true, Within: 6500 * time.Millisecond, play: stranger(func(s *Stage) ([]byte, error) {
			b, err := speak.HelloRecord(s.Edge.Name, "sallyport/1")
			return b[:len(b)/2], err
		})},
		{Name: "stalls after its ClientHello", Rests: true, Within: 11 * time.Second, play: stranger(func(s *Stage) ([]byte, error) {
			return speak.HelloRecord(s.Edge.Name, "sallyport/1")
		})},
		{Name: "stalls before its hello", Rests: true, Within: 11 * time.Second, play: strangeLink(func(*speak.Link, *speak.Identity) {})},
		{Name: "sends a ClientHello without end", play: stranger(func(*Stage) ([]byte, error) {
			b := []byte{0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff}
			return append(b, make([]byte, 16<<10)...), nil
		})},
		{Name: "sends noise in a TLS record", play: stranger(func(*Stage) ([]byte, error) {
			b := append([]byte{0x16, 3, 1, 2, 0}, make([]byte, 512)...)
			rand.Read(b[5:])
			return b, nil
		})},
		{Name: "guesses a label", play: stranger(func(s *Stage) ([]byte, error) {
			return speak.HelloRecord(s.Edge.LabelName(speak.Label()), "sallyport-trunk/1")
		})},
		{Name: "guesses 500 labels", Within: 10 * time.Second, play: guessMany},
		{Name: "takes a label to the web", play: stranger(func(s *Stage) ([]byte, error) {
			return speak.HelloRecord(s.Edge.LabelName(speak.Label()), "h2", "http/1.1")
		})},
		{Name: "speaks TLS 1.2", play: strange(func(c *tls.Config) error {
			c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
			return nil
		})},
		{Name: "shows no certificate", play: strange(func(c *tls.Config) error { c.Certificates = nil; return nil })},
		{Name: "shows an RSA key", play: strange(func(c *tls.Config) error {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				return err
			}
			id, err := speak.IdentityOf(key)
			c.Certificates = []tls.Certificate{id.Cert}
			return err
		})},
		{Name: "shows a P-384 key", play: strange(func(c *tls.Config) error {
			key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
			if err != nil {
				return err
			}
			id, err := speak.IdentityOf(key)
			c.Certificates = []tls.Certificate{id.Cert}
			return err
		})},
		{Name: "shows another's certificate without its key", play: strange(func(c *tls.Config) error {
			id, err := speak.NewIdentity()
			c.Certificates[0].Certificate = id.Cert.Certificate
			return err
		})},
	}
	for i := range b {
		b[i].Actor, b[i].Victim, b[i].Want = "stranger", TheEdge, []Outcome{Cut}
	}
	return b
}

// strangeLink does TLS with a key of its own, acts, and waits for the end.
func strangeLink(act func(*speak.Link, *speak.Identity)) play {
	return func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
		id, err := speak.NewIdentity()
		if err != nil {
			return "", 0, err
		}
		l, err := speak.OpenLink(ctx, s.Edge, id)
		if err != nil {
			return "", 0, err
		}
		defer l.Close()
		act(l, id)
		return judge(l, within, l.Lives)
	}
}

func guessMany(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error) {
	start := time.Now()
	errs := make([]error, 10)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for range 50 {
				out, _, err := stranger(func(s *Stage) ([]byte, error) {
					return speak.HelloRecord(s.Edge.LabelName(speak.Label()), "sallyport-trunk/1")
				})(ctx, s, quick)
				if err != nil || out != Cut {
					errs[i] = fmt.Errorf("a guess was %s: %w", out, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return Borne, time.Since(start), err
		}
	}
	return Cut, time.Since(start), nil
}
