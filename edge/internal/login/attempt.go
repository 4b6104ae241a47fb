package login

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/netip"
	"strings"
	"time"

	"github.com/sallyport/sallyport/wire"
)

const (
	// loopbackLife and approvalLife are how long a code may wait for the daemon:
	// a redirect is at once, a person types.
	loopbackLife = 60 * time.Second
	approvalLife = 120 * time.Second
	// maxTries is how many wrong codes end an attempt.
	maxTries = 5
	// codeAlphabet leaves out what people mix up: 0 O, 1 I L, 2 Z, 5 S, 8 B.
	codeAlphabet = "ACDEFGHJKMNPQRTUVWXY34679"
	approvalLen  = 8
	compareLen   = 6
)

// attempt is guarded by the Service's mutex.
type attempt struct {
	Ended // key and facts; Reason is set when it is over
	state State

	startedAt time.Time
	deadline  time.Time
	compare   string
	verifier  []byte // SHA-256 that the daemon gave at the start
	port      uint16
	path      string

	owner []byte // SHA-256 of the browser's secret; nil before the first POST
	trip  *Trip  // nil unless at the provider
	code  string // once approved
	tries int
}

// Trip is what one journey to the provider and back is recognised by.
type Trip struct {
	// Attempt is the id of the attempt.
	Attempt string
	// Secret is for the browser's cookie; "" where the browser holds it already.
	Secret string
	// State, Nonce and Verifier are those of OpenID Connect.
	State, Nonce, Verifier string
}

// move takes the attempt to the next state, or says that e is not allowed.
func (a *attempt) move(e event) bool {
	to, ok := next(a.state, e)
	if ok {
		a.state = to
	}
	return ok
}

// ownedBy says whether a browser's secret is the owner's.
func (a *attempt) ownedBy(secret string) bool {
	return a.owner != nil && subtle.ConstantTimeCompare(a.owner, hashOf(secret)) == 1
}

// approve issues the code and starts its time.
func (a *attempt) approve(now time.Time, browser netip.Addr) {
	a.Browser = browser
	if a.Mode == wire.ModeCode {
		a.code, a.deadline = newCode(approvalLen), now.Add(approvalLife)
		return
	}
	a.code, a.deadline = newSecret(), now.Add(loopbackLife)
}

// codeIs compares what the daemon shows with the code; people may type an
// approval code in lower case, with or without its dash.
func (a *attempt) codeIs(shown string) bool {
	if a.Mode == wire.ModeCode {
		shown = strings.ToUpper(strings.NewReplacer("-", "", " ", "", "\t", "").Replace(shown))
	}
	return subtle.ConstantTimeCompare(hashOf(shown), hashOf(a.code)) == 1
}

func hashOf(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// newSecret gives 256 random bits.
func newSecret() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// newCode gives n random characters of codeAlphabet.
func newCode(n int) string {
	code := make([]byte, 0, n)
	var b [1]byte
	for len(code) < n {
		rand.Read(b[:])
		// Bytes from the last, partial round of the alphabet would favour its begin.
		if limit := 256 - 256%len(codeAlphabet); int(b[0]) < limit {
			code = append(code, codeAlphabet[int(b[0])%len(codeAlphabet)])
		}
	}
	return string(code)
}

// dashed splits a code in two for the eye.
func dashed(code string) string { return code[:len(code)/2] + "-" + code[len(code)/2:] }
