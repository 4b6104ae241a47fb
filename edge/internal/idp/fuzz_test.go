package idp

import "testing"

// FuzzDecodeHash: a damaged row is refused before it costs memory or time.
func FuzzDecodeHash(f *testing.F) {
	f.Add(nobodysHash)
	f.Add("$argon2id$v=19$m=99999999,t=2,p=1$AAAA$AAAA")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		_, key, time, memory, threads, err := decodeHash(s)
		if err == nil && (len(key) != argonKey || time == 0 || time > 16 || memory > 1<<20 || threads == 0) {
			t.Fatalf("%q was taken", s)
		}
	})
}
