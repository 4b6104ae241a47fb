package crew

import (
	"context"
	"sync"
)

// Tasks are the goroutines that somebody's Run owns and others ask for. The zero value
// runs nothing until Start.
//
// Concurrency: Run and Soon may be called at any time, Start and Wait by the owner.
type Tasks struct {
	mu   sync.Mutex
	ctx  context.Context // that of the owner's Run; nil while it does not run
	long sync.WaitGroup
	crew Crew
}

// Start lets tasks run until ctx ends.
func (t *Tasks) Start(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ctx = ctx
}

// Run runs f, which ends with its context, on a goroutine of its own: it may last for
// days. It is false where the owner does not run.
func (t *Tasks) Run(f func(ctx context.Context)) bool {
	return t.begin(t.long.Go, f)
}

// Soon is Run for what is soon over.
func (t *Tasks) Soon(f func(ctx context.Context)) bool {
	return t.begin(t.crew.Go, f)
}

func (t *Tasks) begin(how func(func()), f func(ctx context.Context)) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ctx == nil || t.ctx.Err() != nil {
		return false
	}
	ctx := t.ctx
	how(func() { f(ctx) })
	return true
}

// Wait joins all tasks; their context has ended.
func (t *Tasks) Wait() {
	t.mu.Lock()
	t.ctx = nil
	t.mu.Unlock()
	t.crew.Wait()
	t.long.Wait()
}
