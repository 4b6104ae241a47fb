package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/sallyport/sallyport/edge/internal/config"
)

const (
	caLife   = 10 * 365 * 24 * time.Hour
	certLife = 90 * 24 * time.Hour
	// backdate lets a machine whose clock is a little behind accept a fresh one.
	backdate = time.Hour
)

// The files of the private CA, in config.CADir.
const (
	CAFile    = "ca.pem"
	caKeyFile = "ca.key"
)

// MakeCA makes a private CA in dir for the edge called name and its zones. It
// refuses to replace one unless told to: whoever trusts it would have to be told.
func MakeCA(dir, name string, zones []string, replace bool) error {
	certFile, keyFile := filepath.Join(dir, CAFile), filepath.Join(dir, caKeyFile)
	for _, path := range []string{certFile, keyFile} {
		if _, err := os.Lstat(path); err == nil && !replace {
			return fmt.Errorf("make the private CA: %s: %w", path, fs.ErrExist)
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the private CA: %w", err)
	}
	cert, key, err := newCA(name, zones, time.Now())
	if err != nil {
		return fmt.Errorf("make the private CA: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("make the private CA: %w", err)
	}
	err = writeFile(keyFile, 0o600, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	if err == nil {
		err = writeFile(certFile, 0o644, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	}
	if err != nil {
		return fmt.Errorf("make the private CA: %w", err)
	}
	return nil
}

// writeFile writes a new file beside and renames it, so that it is whole.
func writeFile(path string, mode os.FileMode, data []byte) error {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(part, path)
}

func newCA(name string, zones []string, now time.Time) ([]byte, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Sallyport CA of " + name, Organization: []string{"Sallyport private CA"}},
		NotBefore:             now.Add(-24 * time.Hour),
		NotAfter:              now.Add(caLife),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		// What it may vouch for. An address that is not on the loopback has no
		// place here, and without a range every one would be permitted.
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         append([]string{name, "localhost"}, zones...),
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return der, key, err
}

// issue reads the private CA and makes a certificate for the edge; it gives the
// CA's PEM too.
func issue(cfg *config.Config, now time.Time) (*tls.Certificate, []byte, error) {
	ca, caKey, err := readCA(cfg.CADir(), now)
	if err != nil {
		return nil, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: cfg.Name},
		NotBefore:   now.Add(-backdate),
		NotAfter:    now.Add(certLife),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{cfg.Name, "*." + cfg.Name},
	}
	if template.NotAfter.After(ca.NotAfter) {
		template.NotAfter = ca.NotAfter
	}
	if cfg.Loopback() {
		if cfg.Name != "localhost" {
			template.DNSNames = append(template.DNSNames, "localhost")
		}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		return nil, nil, fmt.Errorf("issue a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("issue a certificate: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
		return nil, nil, fmt.Errorf("private CA in %s: it was made for %v and cannot vouch for %s; make a new one with sallyport-edge init --force, and give clients its file", cfg.CADir(), ca.PermittedDNSDomains, cfg.Name)
	}
	cert := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}), nil
}

func readCA(dir string, now time.Time) (*x509.Certificate, crypto.Signer, error) {
	certFile, keyFile := filepath.Join(dir, CAFile), filepath.Join(dir, caKeyFile)
	chain, err := readChain(certFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("no certificate: tls.cert is not set and there is no private CA at %s; run sallyport-edge init, or give certificate files", certFile)
	}
	if err == nil && !chain[0].IsCA {
		err = errors.New("it is not the certificate of an authority; make a new one with sallyport-edge init --force")
	}
	if err == nil {
		if err = checkOne(chain[0], now); err != nil {
			err = fmt.Errorf("it %w", err)
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("private CA %s: %w", certFile, err)
	}
	key, err := readKey(keyFile)
	if err == nil {
		err = checkKey(chain[0], key)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("private CA's key %s: %w", keyFile, err)
	}
	return chain[0], key, nil
}
