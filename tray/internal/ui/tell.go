package ui

import (
	"context"
	"time"

	"github.com/sallyport/sallyport/tray/internal/menu"
	"github.com/sallyport/sallyport/tray/internal/notify"
)

const (
	// quietFor is the least time between two notices with the same words.
	quietFor = 10 * time.Minute
	// burst is how many notices may come in a minute: more is a flood, which
	// nobody reads.
	burst = 5
	// never is when nothing is due; a timer needs some time.
	never = 24 * time.Hour
)

// limiter bounds notices. Its zero value has seen none.
type limiter struct {
	last   map[string]time.Time // by key and words
	recent []time.Time
}

// allow says whether a notice may be shown now.
func (l *limiter) allow(n menu.Notice, now time.Time) bool {
	if l.last == nil {
		l.last = map[string]time.Time{}
	}
	for key, at := range l.last {
		if now.Sub(at) >= quietFor {
			delete(l.last, key)
		}
	}
	for len(l.recent) > 0 && now.Sub(l.recent[0]) >= time.Minute {
		l.recent = l.recent[1:]
	}
	key := n.Key + "\x00" + n.Title + "\x00" + n.Text
	if _, ok := l.last[key]; ok || len(l.recent) >= burst {
		return false
	}
	l.last[key] = now
	l.recent = append(l.recent, now)
	return true
}

// notice has something told, unless too much was. It runs in Run.
func (t *Tray) notice(n menu.Notice) {
	if !t.limit.allow(n, t.Now()) {
		t.Log.Debug("notice left out", "title", n.Title)
		return
	}
	t.offered[n.Key] = n.Action
	select {
	case t.notices <- n:
	default: // the desktop does not keep up
	}
}

// tell shows notices on the desktop.
func (t *Tray) tell(ctx context.Context) {
	for {
		var n menu.Notice
		select {
		case <-ctx.Done():
			return
		case n = <-t.notices:
		}
		call, cancel := context.WithTimeout(ctx, callTime)
		err := t.Desktop.Show(call, notify.Note{Key: n.Key, Title: n.Title, Text: n.Text, Button: n.Button})
		cancel()
		if err != nil {
			t.Log.Debug("the desktop shows no notices", "error", err)
		}
	}
}

// expiring warns of sessions that end soon and says when to look again.
func (t *Tray) expiring() time.Duration {
	now := t.Now()
	due, next := menu.Expiring(t.view.Status, t.warned, now)
	t.warned = now
	for _, n := range due {
		t.notice(n)
	}
	if next.IsZero() {
		return never
	}
	return next.Sub(now)
}
