package link

import (
	"context"
	"sync"
)

// tasks are the goroutines that Run owns and others ask for: a trunk that is
// made, a stream that is watched.
type tasks struct {
	mu sync.Mutex
	// ctx is that of Run: what a task does for many callers outlives each of
	// theirs. Nil while Run does not run.
	ctx context.Context
	wg  sync.WaitGroup
}

func (t *tasks) start(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ctx = ctx
}

// run starts f, which ends with its context. It is false where Run does not run.
func (t *tasks) run(f func(ctx context.Context)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx == nil || t.ctx.Err() != nil {
		return false
	}
	ctx := t.ctx
	t.wg.Go(func() { f(ctx) })
	return true
}

// wait joins all tasks; their context has ended.
func (t *tasks) wait() {
	t.mu.Lock()
	t.ctx = nil
	t.mu.Unlock()
	t.wg.Wait()
}
