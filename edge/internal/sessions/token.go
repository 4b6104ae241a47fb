package sessions

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/sallyport/sallyport/edge/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// maxToken bounds what Resume hashes; a real token has about 64 characters.
const maxToken = 256

// newToken makes a token of a session and its hash.
func newToken(id string) (token string, hash []byte) {
	var secret [32]byte
	rand.Read(secret[:])
	token = id + "." + base64.RawURLEncoding.EncodeToString(secret[:])
	return token, hashOf(token)
}

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

var (
	errCopied = errors.New("token is neither the newest nor the one before")
	errOver   = errors.New("session is over")
	errKey    = errors.New("token of another key")
)

// Resume takes the token that a daemon showed in its hello and gives the next,
// which is durable before Resume returns. The newest token and the one last
// shown are good; any other of a live session ends it with key-copied. A
// refusal is a *wire.Reason.
func (s *Service) Resume(ctx context.Context, key wire.KeyID, token string) (Session, string, error) {
	id, _, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxToken {
		return Session{}, "", badToken()
	}
	session, next, err := s.rotate(ctx, id, key, token)
	switch {
	case err == nil:
		return session, next, nil
	case errors.Is(err, store.ErrNotFound):
		return Session{}, "", badToken()
	case errors.Is(err, errKey):
		s.log.Warn("session token shown by another device key", "session", id, "key", key)
		return Session{}, "", badToken()
	case errors.Is(err, errOver):
		return Session{}, "", s.whyOver(ctx, session)
	case errors.Is(err, errCopied):
		s.log.Error("old session token shown: the device's state was copied", "session", id, "key", key, "person", session.Person.Email)
		reason := copied()
		if err := s.End(ctx, id, reason); err != nil {
			return Session{}, "", fmt.Errorf("end session of a copied key: %w", err)
		}
		return Session{}, "", &reason
	default:
		return Session{}, "", fmt.Errorf("resume session %s: %w", id, err)
	}
}

func (s *Service) rotate(ctx context.Context, id string, key wire.KeyID, token string) (Session, string, error) {
	lock := s.lockOf(&s.idLocks, []byte(id))
	lock.Lock()
	defer lock.Unlock()
	next, nextHash := newToken(id)
	shown := hashOf(token)
	r, err := s.rows.Update(ctx, id, func(r *row) error {
		if subtle.ConstantTimeCompare(r.Key[:], key[:]) != 1 {
			return errKey
		}
		known := subtle.ConstantTimeCompare(shown, r.TokenHash) | subtle.ConstantTimeCompare(shown, r.PreviousHash)
		switch {
		case !r.live(s.now()):
			return errOver
		case known != 1:
			return errCopied
		}
		// What was shown is what the daemon has stored for sure, so it stays
		// good until the next is shown: any number of answers may be lost.
		r.TokenHash, r.PreviousHash = nextHash, shown
		return nil
	})
	if err != nil {
		return r.Session, "", err
	}
	s.admit(r.Session)
	return r.Session, next, nil
}

// whyOver tells a daemon how its session ended. One that expired a moment ago
// and waits for Run is told the same.
func (s *Service) whyOver(ctx context.Context, session Session) error {
	if session.EndedAt == nil {
		if err := s.End(ctx, session.ID, expired()); err != nil {
			return fmt.Errorf("end expired session: %w", err)
		}
		session.End = new(expired())
	}
	if session.End == nil {
		return &wire.Reason{Code: wire.CodeSessionEnded, Text: "the session has ended", Hint: hintLogin}
	}
	return session.End
}

// EndOf says how a session ended that is not live any more.
func (s *Service) EndOf(ctx context.Context, id string) wire.Reason {
	if r, err := s.rows.Get(ctx, id); err == nil && r.End != nil {
		return *r.End
	}
	return wire.Reason{Code: wire.CodeSessionEnded, Text: "the session has ended", Hint: hintLogin}
}

const hintLogin = "sallyport login"

func badToken() *wire.Reason {
	return &wire.Reason{Code: wire.CodeBadToken, Text: "the edge knows no session of this device", Hint: hintLogin}
}

func copied() wire.Reason {
	return wire.Reason{
		Code: wire.CodeKeyCopied,
		Text: "an older session token of this device was shown, so its state seems to have been copied to another place",
		Hint: "if this device was not restored from a backup, tell your administrator; then " + hintLogin,
	}
}

func expired() wire.Reason {
	return wire.Reason{Code: wire.CodeExpired, Text: "the session's time is over", Hint: hintLogin}
}
