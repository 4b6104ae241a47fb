package carrier

import "time"

// Pacer counts what may happen so often a second, after a burst. Its owner guards it;
// the zero value is ready for use.
type Pacer struct {
	used float64
	at   time.Time
}

// Take counts one more, and says how long to wait before it.
func (p *Pacer) Take(now time.Time, rate, burst float64) time.Duration {
	p.wait(now, rate, burst)
	p.used++
	return p.wait(now, rate, burst)
}

// wait is how long the next would have to wait.
func (p *Pacer) wait(now time.Time, rate, burst float64) time.Duration {
	p.used = max(0, p.used-now.Sub(p.at).Seconds()*rate)
	p.at = now
	return time.Duration(max(0, p.used-burst) / rate * float64(time.Second))
}
