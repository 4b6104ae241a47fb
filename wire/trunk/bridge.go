package trunk

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// bridge takes yamux's log. What the other end does decides how much that is,
// so only a line a second passes, with the count of those that did not.
type bridge struct {
	log *slog.Logger

	mu         sync.Mutex
	last       time.Time
	suppressed int
}

// Print is yamux's.
func (b *bridge) Print(v ...any) { b.line(func() string { return fmt.Sprint(v...) }) }

// Printf is yamux's.
func (b *bridge) Printf(format string, v ...any) {
	b.line(func() string { return fmt.Sprintf(format, v...) })
}

// Println is yamux's.
func (b *bridge) Println(v ...any) { b.Print(v...) }

func (b *bridge) line(text func() string) {
	now := time.Now()
	b.mu.Lock()
	if now.Sub(b.last) < time.Second {
		b.suppressed++
		b.mu.Unlock()
		return
	}
	suppressed := b.suppressed
	b.last, b.suppressed = now, 0
	b.mu.Unlock()
	b.log.Debug("yamux", "text", text(), "suppressed", suppressed)
}
