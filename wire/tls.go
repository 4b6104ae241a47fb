package wire

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/wire/device"
)

// Errors of keys and certificates.
var (
	// ErrKeyType: a device key that is neither Ed25519 nor P-256.
	ErrKeyType = device.ErrKeyType
	// ErrNoPeerKey: the other end showed no certificate.
	ErrNoPeerKey = errors.New("peer shows no certificate")
	// ErrPeerKey: the other end's key is not the one expected.
	ErrPeerKey = errors.New("peer's key is not the one expected")
	// ErrProtocolName: the ALPN of the connection is not the one expected.
	ErrProtocolName = errors.New("peer does not speak the expected protocol")
)

// NewDeviceKey makes an Ed25519 key.
func NewDeviceKey() (crypto.Signer, error) { return device.NewKey() }

// MarshalDeviceKey gives a key as PKCS #8 DER. It is a secret.
func MarshalDeviceKey(key crypto.Signer) ([]byte, error) { return device.MarshalKey(key) }

// ParseDeviceKey takes what MarshalDeviceKey gives: Ed25519 and P-256 only.
func ParseDeviceKey(der []byte) (crypto.Signer, error) { return device.ParseKey(der) }

// DeviceCertificate wraps a key in a self-signed certificate. Only its key
// counts; everything else in it is filling.
func DeviceCertificate(key crypto.Signer) (tls.Certificate, error) { return device.Certificate(key) }

// LinkClientConfig is the TLS of a daemon's link: the edge's certificate is
// verified for serverName against roots (nil: the system's).
func LinkClientConfig(cert tls.Certificate, serverName string, roots *x509.CertPool) *tls.Config {
	c := baseConfig()
	c.Certificates = []tls.Certificate{cert}
	c.ServerName = serverName
	c.RootCAs = roots
	c.NextProtos = []string{ALPNLink}
	c.VerifyConnection = func(cs tls.ConnectionState) error { return checkProtocol(cs, ALPNLink) }
	return c
}

// LinkServerConfig is the TLS of the edge's end of a link: a device certificate
// is required, and its key is taken with PeerKeyID. get gives the edge's own
// certificate.
func LinkServerConfig(get func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	c := baseConfig()
	c.GetCertificate = get
	c.NextProtos = []string{ALPNLink}
	c.ClientAuth = tls.RequireAnyClientCert
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		if err := checkProtocol(cs, ALPNLink); err != nil {
			return err
		}
		_, err := PeerKeyID(cs)
		return err
	}
	return c
}

// PeerKeyID is the key by which the other end is known. The handshake has shown
// that the other end holds it.
func PeerKeyID(cs tls.ConnectionState) (KeyID, error) {
	if len(cs.PeerCertificates) == 0 {
		return KeyID{}, ErrNoPeerKey
	}
	leaf := cs.PeerCertificates[0]
	if err := device.CheckKeyType(leaf.PublicKey); err != nil {
		return KeyID{}, fmt.Errorf("peer's device key: %w", err)
	}
	return KeyIDOf(leaf), nil
}

// baseConfig holds what every TLS connection of the protocol has: version 1.3,
// no tickets, hence no resumption and no early data; key exchange as Go
// chooses it, which includes the hybrid post-quantum groups.
func baseConfig() *tls.Config {
	return &tls.Config{
		MinVersion:                  tls.VersionTLS13,
		SessionTicketsDisabled:      true,
		DynamicRecordSizingDisabled: true,
	}
}

// trunkConfig is what both ends of a trunk or lane share: the key at the other
// end is the only thing that counts.
func trunkConfig(cfg TrunkConfig) *tls.Config {
	c := baseConfig()
	c.Certificates = []tls.Certificate{cfg.Cert}
	c.NextProtos = []string{cfg.alpn()}
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		if err := checkProtocol(cs, cfg.alpn()); err != nil {
			return err
		}
		key, err := PeerKeyID(cs)
		if err != nil {
			return err
		}
		if key != cfg.PeerKey {
			return ErrPeerKey
		}
		return nil
	}
	return c
}

// trunkClientConfig skips the verification by name on purpose: trunkConfig's
// VerifyConnection compares the key instead.
func trunkClientConfig(cfg TrunkConfig) *tls.Config {
	c := trunkConfig(cfg)
	c.ServerName = cfg.ServerName
	c.InsecureSkipVerify = true
	return c
}

func trunkServerConfig(cfg TrunkConfig) *tls.Config {
	c := trunkConfig(cfg)
	c.ClientAuth = tls.RequireAnyClientCert
	c.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if hello.ServerName != cfg.ServerName {
			return nil, ErrServerName
		}
		return nil, nil
	}
	return c
}

func checkProtocol(cs tls.ConnectionState, want string) error {
	if cs.NegotiatedProtocol != want {
		return ErrProtocolName
	}
	return nil
}

// fingerprintOf names a TLS connection by a value that only its two ends have:
// a middle has one with each end, and they differ.
func fingerprintOf(cs tls.ConnectionState) (string, error) {
	b, err := cs.ExportKeyingMaterial("EXPORTER-sallyport-fingerprint", nil, 16)
	if err != nil {
		return "", fmt.Errorf("fingerprint of the trunk: %w", err)
	}
	return hex.EncodeToString(b), nil
}
