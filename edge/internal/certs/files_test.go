package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const edgeName = "edge.site.com"

// pair is a certificate and its key, and who signs with it.
type pair struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// smallRSA is made once: it takes a while.
var smallRSA = sync.OnceValue(func() crypto.Signer {
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		panic(err)
	}
	return key
})

func template() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{edgeName}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
}

// sign makes a certificate; signer nil signs it with its own key.
func sign(t *testing.T, signer *pair, key crypto.Signer, change func(*x509.Certificate)) pair {
	t.Helper()
	tpl := template()
	if change != nil {
		change(tpl)
	}
	if signer == nil {
		signer = &pair{tpl, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, signer.cert, key.Public(), signer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pair{cert, key}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.DNSNames, c.ExtKeyUsage, c.KeyUsage = true, nil, nil, x509.KeyUsageCertSign
	c.Subject.CommonName = "authority"
}

func certPEM(ps ...pair) string {
	var s strings.Builder
	for _, p := range ps {
		pem.Encode(&s, &pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
	}
	return s.String()
}

func keyPEM(t *testing.T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// write writes a file; "" writes none.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if text != "" {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestLoadFiles(t *testing.T) {
	t.Parallel()
	root := sign(t, nil, newKey(t), authority)
	good := sign(t, &root, newKey(t), nil)
	other := sign(t, nil, newKey(t), authority)
	variant := func(change func(*x509.Certificate)) pair { return sign(t, &root, newKey(t), change) }
	expired := variant(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	future := variant(func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) })
	elsewhere := variant(func(c *x509.Certificate) { c.DNSNames = []string{"www.site.com"} })
	nameless := variant(func(c *x509.Certificate) { c.DNSNames, c.Subject.CommonName = nil, edgeName })
	client := variant(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	wildcard := variant(func(c *x509.Certificate) { c.DNSNames = []string{"*.site.com"} })
	small := sign(t, &root, smallRSA(), nil)
	oldRoot := sign(t, nil, newKey(t), func(c *x509.Certificate) { authority(c); c.NotAfter = time.Now().Add(-time.Minute) })
	underOld := sign(t, &oldRoot, newKey(t), nil)
	ec, err := x509.MarshalECPrivateKey(good.key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	sec1 := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: ec}))
	locked := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: ec}))
	locked8 := string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: ec}))
	damagedKey := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("nonsense")}))
	damagedCert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: good.cert.Raw[:100]}))

	key := keyPEM(t, good.key)
	cases := []struct {
		name, cert, key, want string // want "" is good
	}{
		{"good", certPEM(good), key, ""},
		{"good with chain", certPEM(good, root), key, ""},
		{"good, SEC 1 key", certPEM(good), sec1, ""},
		{"good, both in both", key + certPEM(good), key + certPEM(good), ""},
		{"good, wildcard", certPEM(wildcard), keyPEM(t, wildcard.key), ""},
		{"no certificate file", "", key, "cert.pem: it does not exist"},
		{"no key file", certPEM(good), "", "key.pem: it does not exist"},
		{"empty certificate", " \n", key, "cert.pem: it is empty"},
		{"empty key", certPEM(good), "\n", "key.pem: it is empty"},
		{"not PEM", "hello", key, "cert.pem: it is not PEM"},
		{"DER", string(good.cert.Raw), key, "cert.pem: it is not PEM"},
		{"key not PEM", certPEM(good), "hello", "key.pem: it is not PEM"},
		{"huge", strings.Repeat("x", maxFile+1), key, "is this the right file?"},
		{"swapped", key, certPEM(good), "cert.pem: it holds a block of type PRIVATE KEY"},
		{"certificate for key", certPEM(good), certPEM(good), "key.pem: it holds a block of type CERTIFICATE"},
		{"damaged certificate", damagedCert, key, "certificate 1 in it is damaged"},
		{"damaged key", certPEM(good), damagedKey, "the key is damaged"},
		{"key with passphrase", certPEM(good), locked, "the key has a passphrase"},
		{"PKCS 8 key with passphrase", certPEM(good), locked8, "the key has a passphrase"},
		{"key of another", certPEM(good), keyPEM(t, other.key), "the key does not belong to the certificate"},
		{"key of another kind", certPEM(good), keyPEM(t, smallRSA()), "the key does not belong"},
		{"expired", certPEM(expired), keyPEM(t, expired.key), "ended on"},
		{"not yet", certPEM(future), keyPEM(t, future.key), "is this machine's clock right?"},
		{"other name", certPEM(elsewhere), keyPEM(t, elsewhere.key), "is for www.site.com, not for edge.site.com"},
		{"no name", certPEM(nameless), keyPEM(t, nameless.key), "names no host"},
		{"for clients", certPEM(client), keyPEM(t, client.key), "not made for servers"},
		{"authority alone", certPEM(root), keyPEM(t, root.key), "certificate of an authority"},
		{"authority first", certPEM(root, good), key, "put the edge's own first"},
		{"chain of another", certPEM(good, other), key, "certificate 2 in it (CN=authority) did not sign"},
		{"expired in chain", certPEM(underOld, oldRoot), keyPEM(t, underOld.key), "certificate 2 in it (CN=authority) ended on"},
		{"small key", certPEM(small), keyPEM(t, small.key), "RSA key of 1024 bits"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cert, err := LoadFiles(write(t, dir, "cert.pem", c.cert), write(t, dir, "key.pem", c.key), edgeName, time.Now())
			if c.want == "" {
				if err != nil || cert.Leaf == nil {
					t.Fatalf("%v, %v", cert, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
		})
	}
	t.Run("directory", func(t *testing.T) {
		t.Parallel()
		if _, err := LoadFiles(t.TempDir(), t.TempDir(), edgeName, time.Now()); err == nil || !strings.Contains(err.Error(), "cannot be read") {
			t.Fatal(err)
		}
	})
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMA==\n-----END EC PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := write(t, t.TempDir(), "f.pem", string(data))
		readChain(path)
		readKey(path)
	})
}
