package idp

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

const (
	// The parameters of new hashes: 19 MiB and two passes take about 30 ms, and
	// with hashSlots at a time a flood of logins costs 40 MiB, not more.
	argonMemory  = 19 << 10 // KiB
	argonTime    = 2
	argonThreads = 1
	argonKey     = 32
	argonSalt    = 16
	hashSlots    = 2
)

var errHash = errors.New("password hash cannot be read")

// slots is held while a hash is computed.
var slots = make(chan struct{}, hashSlots)

// nobodysHash is compared for people who do not exist. Its salt and key are of
// no password.
var nobodysHash = encodeHash(make([]byte, argonSalt), make([]byte, argonKey))

// choosePassword checks or makes a password and hashes it; without hash it only
// checks.
func choosePassword(ctx context.Context, given string, hash bool) (password, hashed string, err error) {
	if given == "" {
		given = rand.Text() // 26 characters, 130 bits
	}
	if n := utf8.RuneCountInString(given); n < MinPassword || n > maxPassword || !utf8.ValidString(given) {
		return "", "", ErrPassword
	}
	if !hash {
		return given, "", nil
	}
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	key, err := derive(ctx, given, salt, argonTime, argonMemory, argonThreads)
	if err != nil {
		return "", "", err
	}
	return given, encodeHash(salt, key), nil
}

func checkPassword(ctx context.Context, password, hash string) (bool, error) {
	salt, want, time, memory, threads, err := decodeHash(hash)
	if err != nil {
		return false, err
	}
	if len(password) > 4*maxPassword {
		password = "" // wrong in any case, and no work for the hash
	}
	got, err := derive(ctx, password, salt, time, memory, threads)
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}

func derive(ctx context.Context, password string, salt []byte, time, memory uint32, threads uint8) ([]byte, error) {
	select {
	case slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the password check: %w", context.Cause(ctx))
	}
	defer func() { <-slots }()
	return argon2.IDKey([]byte(password), salt, time, memory, threads, argonKey), nil
}

// encodeHash gives the usual form: $argon2id$v=19$m=..,t=..,p=..$salt$key.
func encodeHash(salt, key []byte) string {
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads, b64(salt), b64(key))
}

func decodeHash(s string) (salt, key []byte, time, memory uint32, threads uint8, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, nil, 0, 0, 0, errHash
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &time, &threads); err != nil {
		return nil, nil, 0, 0, 0, errHash
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	key, keyErr := base64.RawStdEncoding.DecodeString(parts[5])
	// The bounds keep a damaged row from taking all memory.
	if saltErr != nil || keyErr != nil || len(key) != argonKey || memory > 1<<20 || time == 0 || time > 16 || threads == 0 {
		return nil, nil, 0, 0, 0, errHash
	}
	return salt, key, time, memory, threads, nil
}
