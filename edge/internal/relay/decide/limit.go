package decide

import (
	"time"

	"github.com/sallyport/sallyport/internal/quota"
)

// limitKeys bounds the sessions that are counted at once.
const limitKeys = 10_000

// NewRefused bounds the opens and tickets of one session that are refused, or that
// the client has given up before their Verdict: so many at once, then one each
// period (H5 of the goals: 100 a second reach policy). Others are not counted.
func NewRefused() *quota.Buckets[string] {
	return quota.New[string](10*time.Millisecond, 200, limitKeys)
}

// NewResumes bounds the resumes of one session: each costs a durable audit line.
// What one trunk holds can come back at once, then 500 a second.
func NewResumes() *quota.Buckets[string] {
	return quota.New[string](2*time.Millisecond, 16<<10, limitKeys)
}
