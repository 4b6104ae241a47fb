package crew

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestJobsRunAndAreWaitedFor(t *testing.T) {
	t.Parallel()
	var c Crew
	var ran atomic.Int32
	for range 100 {
		c.Go(func() {
			ran.Add(1)
			c.Go(func() { ran.Add(1) })
		})
	}
	for range 100 {
		done := make(chan struct{})
		c.Go(func() { close(done) })
		<-done
	}
	c.Wait()
	if n := ran.Load(); n != 200 {
		t.Errorf("%d of 200 jobs ran", n)
	}
}

func TestGoroutinesAreKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c Crew
		hold := make(chan struct{})
		for range 2 * maxIdle {
			c.Go(func() { <-hold })
		}
		synctest.Wait()
		if len(c.idle) != 0 {
			t.Errorf("%d idle while all work", len(c.idle))
		}
		close(hold)
		synctest.Wait()
		if len(c.idle) != maxIdle {
			t.Errorf("%d kept, want %d", len(c.idle), maxIdle)
		}
		last := c.idle[maxIdle-1]
		c.Go(func() {})
		synctest.Wait()
		if len(c.idle) != maxIdle || c.idle[maxIdle-1] != last {
			t.Error("the job was not the last idle one's")
		}
		c.Wait() // else the bubble would not end
	})
}

func TestTasks(t *testing.T) {
	t.Parallel()
	var tasks Tasks
	never := func(context.Context) { t.Error("a task of nobody ran") }
	if tasks.Run(never) || tasks.Soon(never) {
		t.Error("taken before Start")
	}
	ctx, cancel := context.WithCancel(t.Context())
	tasks.Start(ctx)
	var ended atomic.Int32
	last := func(ctx context.Context) { <-ctx.Done(); ended.Add(1) }
	if !tasks.Run(last) || !tasks.Soon(last) {
		t.Error("not taken")
	}
	cancel()
	if tasks.Run(never) {
		t.Error("taken after the end")
	}
	tasks.Wait()
	if n := ended.Load(); n != 2 {
		t.Errorf("%d of 2 waited for", n)
	}
}
