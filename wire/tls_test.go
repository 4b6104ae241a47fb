package wire

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/wire/hello"
)

// rsaDevice is a certificate of a key that is no device key.
func rsaDevice(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return selfSigned(t, key)
}

func selfSigned(t testing.TB, key crypto.Signer, names ...string) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func ecKey(t testing.TB, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestDeviceKeys(t *testing.T) {
	t.Parallel()
	fresh, err := NewDeviceKey()
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		key  crypto.Signer
		want error
	}{
		{"Ed25519", fresh, nil},
		{"P-256", ecKey(t, elliptic.P256()), nil},
		{"P-384", ecKey(t, elliptic.P384()), ErrKeyType},
		{"RSA", rsaKey, ErrKeyType},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			der, err := MarshalDeviceKey(test.key)
			if !errors.Is(err, test.want) {
				t.Fatalf("encode: %v, want %v", err, test.want)
			}
			if err != nil {
				if der, err = x509.MarshalPKCS8PrivateKey(test.key); err != nil {
					t.Fatal(err)
				}
			}
			again, err := ParseDeviceKey(der)
			if !errors.Is(err, test.want) {
				t.Fatalf("decode: %v, want %v", err, test.want)
			}
			if _, err := DeviceCertificate(test.key); !errors.Is(err, test.want) {
				t.Fatalf("certificate: %v, want %v", err, test.want)
			}
			if test.want != nil {
				return
			}
			a, b := certOf(t, test.key), certOf(t, again)
			if KeyIDOf(a.Leaf) != KeyIDOf(b.Leaf) || bytes.Equal(a.Leaf.RawSubjectPublicKeyInfo, nil) {
				t.Error("the key's id changes with its certificate")
			}
		})
	}
	if _, err := ParseDeviceKey([]byte("no key")); err == nil {
		t.Error("nonsense parses")
	}
}

func certOf(t testing.TB, key crypto.Signer) tls.Certificate {
	t.Helper()
	c, err := DeviceCertificate(key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// shake does one TLS handshake and gives both ends' states and errors. Both
// ends read once, since a client learns of its refusal only then.
func shake(t testing.TB, client, server *tls.Config) (cs, ss tls.ConnectionState, cerr, serr error) {
	t.Helper()
	a, b := tcpPair(t)
	defer a.Close()
	defer b.Close()
	deadline := time.Now().Add(20 * time.Second)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer b.Close()
		s := tls.Server(b, server)
		if serr = s.HandshakeContext(context.Background()); serr == nil {
			ss = s.ConnectionState()
			_, serr = s.Write([]byte("x"))
		}
	}()
	c := tls.Client(a, client)
	if cerr = c.HandshakeContext(context.Background()); cerr == nil {
		cs = c.ConnectionState()
		_, cerr = c.Read(make([]byte, 1))
	}
	<-done
	return cs, ss, cerr, serr
}

func TestLinkTLS(t *testing.T) {
	t.Parallel()
	const edge = "edge.site.com"
	edgeCert := selfSigned(t, ecKey(t, elliptic.P256()), edge)
	roots := x509.NewCertPool()
	roots.AddCert(edgeCert.Leaf)
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &edgeCert, nil }
	mine := newDevice(t)
	for _, test := range []struct {
		name   string
		change func(client, server *tls.Config)
		fails  bool
	}{
		{"as it should be", func(c, s *tls.Config) {}, false},
		{"a P-256 device", func(c, s *tls.Config) {
			c.Certificates = []tls.Certificate{certOf(t, ecKey(t, elliptic.P256()))}
		}, false},
		{"another name", func(c, s *tls.Config) { c.ServerName = "other.site.com" }, true},
		{"another root", func(c, s *tls.Config) { c.RootCAs = x509.NewCertPool() }, true},
		{"the system's roots", func(c, s *tls.Config) { c.RootCAs = nil }, true},
		{"TLS 1.2", func(c, s *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }, true},
		{"an edge with TLS 1.2", func(c, s *tls.Config) { s.MinVersion, s.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }, true},
		{"no device", func(c, s *tls.Config) { c.Certificates = nil }, true},
		{"a device with RSA", func(c, s *tls.Config) { c.Certificates = []tls.Certificate{rsaDevice(t)} }, true},
		{"another protocol", func(c, s *tls.Config) { c.NextProtos = []string{"h2"} }, true},
		{"no protocol", func(c, s *tls.Config) { c.NextProtos, c.VerifyConnection = nil, nil }, true},
		{"an edge without protocol", func(c, s *tls.Config) { s.NextProtos, s.VerifyConnection = nil, nil }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, server := LinkClientConfig(mine, edge, roots), LinkServerConfig(get)
			test.change(client, server)
			cs, ss, cerr, serr := shake(t, client, server)
			if err := errors.Join(cerr, serr); (err != nil) != test.fails {
				t.Fatalf("handshake: %v", err)
			}
			if test.fails {
				return
			}
			key, err := PeerKeyID(ss)
			if err != nil || key != KeyIDOf(client.Certificates[0].Leaf) {
				t.Errorf("device is %v, %v", key, err)
			}
			if cs.Version != tls.VersionTLS13 || cs.DidResume || cs.NegotiatedProtocol != ALPNLink {
				t.Errorf("version %x, resumed %v, protocol %q", cs.Version, cs.DidResume, cs.NegotiatedProtocol)
			}
			if cs.CurveID != tls.X25519MLKEM768 {
				t.Errorf("key exchange %v is not the hybrid one", cs.CurveID)
			}
		})
	}
}

// Nothing is ever resumed, even where a client would like to.
func TestLinkTLSGivesNoTickets(t *testing.T) {
	t.Parallel()
	edgeCert := selfSigned(t, ecKey(t, elliptic.P256()), "edge.site.com")
	roots := x509.NewCertPool()
	roots.AddCert(edgeCert.Leaf)
	server := LinkServerConfig(func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &edgeCert, nil })
	client := LinkClientConfig(newDevice(t), "edge.site.com", roots)
	client.SessionTicketsDisabled = false
	client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for range 2 {
		cs, _, cerr, serr := shake(t, client, server)
		if cerr != nil || serr != nil || cs.DidResume {
			t.Fatalf("resumed %v, %v, %v", cs.DidResume, cerr, serr)
		}
	}
}

func TestPeerKeyIDOfNobody(t *testing.T) {
	t.Parallel()
	if _, err := PeerKeyID(tls.ConnectionState{}); !errors.Is(err, ErrNoPeerKey) {
		t.Errorf("got %v, want %v", err, ErrNoPeerKey)
	}
}

var _ net.Conn = (*hello.Capture)(nil)
