package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/link/proxy"
	"github.com/sallyport/sallyport/internal/webconn"
	"github.com/sallyport/sallyport/wire"
)

// Problem puts any error of reaching an edge, of a link, or of a refusal in
// words: what, why, and the next step. It is nil for nil.
func Problem(err error) *api.Problem {
	if err == nil {
		return nil
	}
	var (
		problem *api.Problem
		dial    *Error
		reason  *wire.Reason
	)
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &reason):
		return Reason(*reason)
	case errors.As(err, &dial):
		return dial.problem()
	case errors.Is(err, wire.ErrLinkDead):
		return &api.Problem{
			Code: api.CodeEdgeTimeout, Title: "The edge went silent",
			Detail: fmt.Sprintf("nothing was heard from it for %v", wire.DeadAfter),
			Hint:   "The daemon keeps trying. Check this machine's network.",
		}
	case isGone(err):
		return &api.Problem{
			Code: api.CodeEdgeUnreached, Title: "The link to the edge was lost", Detail: err.Error(),
			Hint: "The daemon keeps trying. If it lasts, check this machine's network and the edge.",
		}
	case isTimeout(err):
		return &api.Problem{
			Code: api.CodeEdgeTimeout, Title: "The edge did not answer in time", Detail: err.Error(),
			Hint: "Try again. If it lasts, check this machine's network and the edge.",
		}
	}
	return &api.Problem{
		Code: api.CodeInternal, Title: "An unexpected error", Detail: err.Error(),
		Hint: "Look at the daemon's log.",
	}
}

func isGone(err error) bool {
	for _, target := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, wire.ErrLinkClosed,
		wire.ErrLinkOverflow, errnoReset, errnoAborted, errnoNoHost, errnoNoNet} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, errnoTimeout) || (errors.As(err, &timeout) && timeout.Timeout())
}

func (e *Error) problem() *api.Problem {
	var (
		dns     *net.DNSError
		hop     *proxy.Error
		refused *webconn.RefusedError
	)
	switch {
	case errors.As(e.Err, &hop):
		return proxyProblem(hop)
	case errors.Is(e.Err, proxy.ErrSetting):
		return &api.Problem{Code: api.CodeProxy, Title: "The proxy is not a proxy's URL", Detail: e.Err.Error(), Hint: hintProxy}
	case errors.As(e.Err, &refused):
		return e.foreign("asked for a WebSocket, it " + refused.Error())
	case errors.As(e.Err, &dns):
		return e.unresolved(dns)
	case errors.Is(e.Err, errKept):
		return &api.Problem{
			Code: api.CodeEdgeUnresolved, Title: "The edge's name leads to an address where no edge can be", Detail: e.Err.Error(),
			Hint: "Check the name and this machine's DNS. If it is right, an administrator can name the address: sallyport edge use NAME --address IP:PORT",
		}
	case e.Stage == StageTLS && !isTimeout(e.Err):
		return e.handshake()
	case errors.Is(e.Err, errnoRefused):
		return &api.Problem{
			Code: api.CodeEdgeRefused, Title: "Nothing listens at the edge's address",
			Detail: fmt.Sprintf("%s refused the connection", e.Target.address()),
			Hint:   "Is the edge running, and on this port? `sallyport edge use NAME:PORT` names another.",
		}
	case isTimeout(e.Err):
		return e.timeout()
	case e.Stage == StageHello && !isGone(e.Err):
		return e.foreign("it did not answer as an edge does: " + e.Err.Error())
	}
	return e.unreached()
}

func (e *Error) unresolved(dns *net.DNSError) *api.Problem {
	p := &api.Problem{
		Code: api.CodeEdgeUnresolved, Title: "The edge's name does not resolve",
		Detail: fmt.Sprintf("%s is not known to DNS", e.Target.Name),
		Hint:   "Check the name (`sallyport edge show`) and this machine's DNS.",
	}
	if !dns.IsNotFound {
		p.Detail = fmt.Sprintf("DNS gave no answer for %s: %s", e.Target.Name, dns.Err)
		p.Hint = "Is this machine online? Check its network and DNS."
	}
	return p
}

// at is what was dialled, and the proxy on the way.
func (e *Error) at() string {
	if e.Via == "" {
		return e.Target.address()
	}
	return e.Target.address() + " (through the proxy " + e.Via + ")"
}

func (e *Error) timeout() *api.Problem {
	p := &api.Problem{
		Code: api.CodeEdgeTimeout, Title: "The edge does not answer",
		Detail: fmt.Sprintf("%s did not accept the connection in time", e.Target.address()),
		Hint:   fmt.Sprintf("Is outgoing traffic on port %d blocked here? Try another network, or ask for egress to %s.", e.Target.port(), e.Target),
	}
	if e.Stage != StageConnect {
		p.Detail = fmt.Sprintf("%s accepted the connection, but did not finish the %s in time", e.at(), e.Stage.words())
	}
	return p
}

func (s Stage) words() string {
	switch s {
	case StageTLS:
		return "TLS handshake"
	case StageWeb:
		return "opening of a WebSocket"
	case StageHello:
		return "hello"
	}
	return "connection"
}

func (e *Error) unreached() *api.Problem {
	p := &api.Problem{
		Code: api.CodeEdgeUnreached, Title: "The edge cannot be reached",
		Detail: fmt.Sprintf("%s: %v", e.Target.address(), e.Err),
		Hint:   "Check this machine's network.",
	}
	if e.Stage != StageConnect {
		p.Detail = fmt.Sprintf("%s closed the connection during the %s", e.at(), e.Stage.words())
		p.Hint = "A firewall or proxy on the way may cut it, or the edge is starting."
	}
	return p
}

// foreign is for something else than an edge at its address.
func (e *Error) foreign(detail string) *api.Problem {
	return &api.Problem{
		Code: api.CodeEdgeProtocol, Title: "Something else answers at the edge's address",
		Detail: fmt.Sprintf("%s: %s", e.at(), detail),
		Hint:   "Check name and port (`sallyport edge show`). A captive portal or a proxy that opens TLS looks like this too.",
	}
}

// handshake tells the ways in which TLS does not come about.
func (e *Error) handshake() *api.Problem {
	var (
		record   tls.RecordHeaderError
		unknown  x509.UnknownAuthorityError
		name     x509.HostnameError
		invalid  x509.CertificateInvalidError
		noSystem x509.SystemRootsError
		alert    *net.OpError
	)
	switch {
	case errors.Is(e.Err, wire.ErrProtocolName):
		return e.foreign("it speaks TLS, but not the protocol of an edge")
	case errors.As(e.Err, &record):
		if string(record.RecordHeader[:]) == "HTTP/" {
			return e.foreign("it answers plain HTTP, not TLS")
		}
		return e.foreign("its answer is not TLS")
	case errors.As(e.Err, &name):
		return e.untrusted(name.Error(), fmt.Sprintf("Use a name that the certificate has, or give the edge one for %s. DNS that leads elsewhere and a page to sign in at look like this too.", e.Target.Name))
	case isDate(e.Err):
		errors.As(e.Err, &invalid)
		return e.dates(invalid.Cert)
	case errors.As(e.Err, &unknown), errors.As(e.Err, &noSystem):
		return e.untrusted("its certificate is signed by "+e.issuer()+", which this machine does not know",
			fmt.Sprintf("If the edge has a private CA: sallyport edge use %s --ca FILE. A proxy that opens TLS looks like this too.", e.Target))
	case errors.As(e.Err, &alert) && alert.Op == "remote error":
		return e.foreign("it refused the handshake: " + alert.Err.Error())
	case isGone(e.Err):
		return e.unreached()
	}
	return e.untrusted(e.Err.Error(), fmt.Sprintf("Check the certificate that %s serves, and the CA file given to `sallyport edge use`.", e.Target))
}

func (e *Error) untrusted(detail, hint string) *api.Problem {
	return &api.Problem{
		Code: api.CodeEdgeUntrusted, Title: "The edge's certificate is not trusted",
		Detail: fmt.Sprintf("%s: %s", e.Target, detail), Hint: hint,
	}
}

// issuer names who signed the certificate that was shown.
func (e *Error) issuer() string {
	var failed *tls.CertificateVerificationError
	if errors.As(e.Err, &failed) && len(failed.UnverifiedCertificates) > 0 {
		if name := failed.UnverifiedCertificates[0].Issuer.CommonName; name != "" {
			return fmt.Sprintf("the authority %q", name)
		}
	}
	return "an authority"
}

func (e *Error) dates(cert *x509.Certificate) *api.Problem {
	var invalid *tls.CertificateVerificationError
	switch {
	case e.Skew != 0:
		return Clock(e.Skew)
	case cert == nil && errors.As(e.Err, &invalid) && len(invalid.UnverifiedCertificates) > 0:
		cert = invalid.UnverifiedCertificates[0]
	}
	if cert == nil {
		return e.untrusted("its certificate is outside its dates", "Give the edge a fresh certificate.")
	}
	return e.untrusted(fmt.Sprintf("its certificate holds from %s to %s", date(cert.NotBefore), date(cert.NotAfter)),
		"Give the edge a fresh certificate. If today is within these dates, this machine's clock is wrong.")
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// Clock is the problem of a machine whose clock is ahead of the edge's by skew
// (behind, where it is negative).
func Clock(skew time.Duration) *api.Problem {
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	return &api.Problem{
		Code: api.CodeClockWrong, Title: "This machine's clock is wrong",
		Detail: fmt.Sprintf("it is %s %s the edge's", about(skew.Abs()), way),
		Hint:   "Set the clock, or switch time synchronisation on.",
	}
}

// about gives a duration in the words of a person.
func about(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d minutes", int(d.Minutes()))
}
