package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// maxFile bounds a PEM file; a chain of ten certificates has a tenth of it.
const maxFile = 256 << 10

const minRSABits = 2048

// LoadFiles reads a certificate with its chain and its key, and refuses what
// daemons or browsers would refuse for the edge called name.
func LoadFiles(certFile, keyFile, name string, now time.Time) (*tls.Certificate, error) {
	chain, err := readChain(certFile)
	if err == nil {
		err = checkChain(chain, name, now)
	}
	if err != nil {
		return nil, fmt.Errorf("certificate file %s: %w", certFile, err)
	}
	key, err := readKey(keyFile)
	if err == nil {
		err = checkKey(chain[0], key)
	}
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", keyFile, err)
	}
	cert := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	return cert, nil
}

// readPEM gives the blocks of a file.
func readPEM(path string) ([]*pem.Block, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("it is empty")
	}
	var blocks []*pem.Block
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		blocks, data = append(blocks, block), rest
	}
	if len(blocks) == 0 {
		return nil, errors.New("it is not PEM: it must have lines like -----BEGIN CERTIFICATE-----")
	}
	return blocks, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		var data []byte
		if data, err = io.ReadAll(io.LimitReader(f, maxFile+1)); err == nil {
			if len(data) > maxFile {
				return nil, fmt.Errorf("it has more than %d bytes: is this the right file?", maxFile)
			}
			return data, nil
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("it does not exist: %w", fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("this user may not read it: %w", fs.ErrPermission)
	}
	return nil, fmt.Errorf("it cannot be read: %w", err)
}

func readChain(path string) ([]*x509.Certificate, error) {
	blocks, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for i, b := range blocks {
		if strings.Contains(b.Type, "PRIVATE KEY") && len(blocks) > 1 {
			continue // some tools write both into one file
		}
		if b.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("it holds a block of type %s where a certificate is expected; are the two files swapped?", b.Type)
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in it is damaged: %w", i+1, err)
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return nil, errors.New("it holds no certificate")
	}
	return chain, nil
}

// checkChain looks at what a peer would refuse. Who signed the last of it is for
// the peer to judge.
func checkChain(chain []*x509.Certificate, name string, now time.Time) error {
	leaf := chain[0]
	switch {
	case leaf.IsCA && len(chain) > 1:
		return errors.New("its first certificate is one of an authority; put the edge's own first")
	case leaf.IsCA:
		return errors.New("it is the certificate of an authority, not of a server")
	case !serverAuth(leaf):
		return errors.New("its certificate is not made for servers (extended key usage serverAuth is missing)")
	case len(leaf.DNSNames) == 0:
		return errors.New("its certificate names no host (no DNS name among its subject alternative names)")
	}
	if err := leaf.VerifyHostname(name); err != nil {
		return fmt.Errorf("its certificate is for %s, not for %s", strings.Join(leaf.DNSNames, ", "), name)
	}
	for i, c := range chain {
		if err := checkOne(c, now); err != nil {
			return fmt.Errorf("certificate %d in it (%s) %w", i+1, subjectOf(c), err)
		}
		if i > 0 {
			if err := chain[i-1].CheckSignatureFrom(c); err != nil {
				return fmt.Errorf("certificate %d in it (%s) did not sign the one before it; put the chain in order, from the edge's to the authority's", i+1, subjectOf(c))
			}
		}
	}
	return nil
}

func checkOne(c *x509.Certificate, now time.Time) error {
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("ended on %s; renew it", c.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fmt.Errorf("begins on %s; is this machine's clock right?", c.NotBefore.UTC().Format(time.RFC3339))
	}
	switch c.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1, x509.DSAWithSHA256:
		return fmt.Errorf("is signed with %v, which nobody accepts any more", c.SignatureAlgorithm)
	}
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSABits {
			return fmt.Errorf("has an RSA key of %d bits; at least %d are needed", key.N.BitLen(), minRSABits)
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return fmt.Errorf("has a key of a kind that TLS 1.3 does not use (%v)", c.PublicKeyAlgorithm)
	}
	return nil
}

func serverAuth(c *x509.Certificate) bool {
	return len(c.ExtKeyUsage) == 0 && len(c.UnknownExtKeyUsage) == 0 ||
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

func subjectOf(c *x509.Certificate) string {
	if s := c.Subject.String(); s != "" {
		return s
	}
	return strings.Join(c.DNSNames, ", ")
}

func readKey(path string) (crypto.Signer, error) {
	blocks, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	for _, b := range blocks {
		if b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, errors.New("the key has a passphrase; write it without one (openssl pkey -in FILE -out NEW)")
		}
		if !strings.HasSuffix(b.Type, "PRIVATE KEY") {
			continue
		}
		return parseKey(b.Bytes)
	}
	return nil, fmt.Errorf("it holds a block of type %s where a private key is expected; are the two files swapped?", blocks[0].Type)
}

func parseKey(der []byte) (crypto.Signer, error) {
	var key any
	var err error
	if key, err = x509.ParsePKCS8PrivateKey(der); err != nil {
		if key, err = x509.ParseECPrivateKey(der); err != nil {
			key, err = x509.ParsePKCS1PrivateKey(der)
		}
	}
	if err != nil {
		return nil, errors.New("the key is damaged, or of a kind that is not known")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("the key is of a kind that cannot sign")
	}
	return signer, nil
}

func checkKey(cert *x509.Certificate, key crypto.Signer) error {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(cert.PublicKey) {
		return errors.New("the key does not belong to the certificate; give the two files that were made together")
	}
	return nil
}
