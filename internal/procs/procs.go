// Package procs fits a process to its load: the number of processors that run Go
// code, and the memory it holds.
//
// A program that moves small messages has little to do for each of them, and the
// runtime wakes a second thread for it every time one goroutine hands over to
// another: that thread finds nothing, and goes back to sleep. With one processor
// nobody is woken. A program that moves much wants all of them: with one, what is
// small waits behind what is large. So there is one processor while the process
// uses well less than that in short turns, and the runtime's own number otherwise.
//
// What a load has left behind in memory is given back as soon as the process rests.
//
// Concurrency: Run belongs to one goroutine; there is one for a process. Stir may be
// called from any.
package procs

import (
	"context"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// every is how often the load is looked at, atRest where there was none, and
	// asleep where there was none for as many looks as doze: each look wakes the
	// processor, and a laptop's battery pays.
	every, atRest, asleep = 100 * time.Millisecond, time.Second, 5 * time.Second
	doze                  = 20
	// calm is how many looks in a row must find short turns.
	calm = 3
	// busy is the load, in processors, from which turns do not matter; idle is
	// that below which they say nothing.
	busy, idle = 0.6, 0.05
	// short and long are turns: processor time between two sleeps of a thread. With one
	// processor threads sleep less, and turns are twice as long.
	short, long = 100 * time.Microsecond, 250 * time.Microsecond
)

// rests says that the load is looked at seldom; begins ends that.
var (
	rests  atomic.Bool
	begins = make(chan struct{}, 1)
)

// Stir says that something begins: the load is looked at from now on. It does not wait,
// and costs nothing while it is.
func Stir() {
	if rests.Load() && rests.Swap(false) {
		select {
		case begins <- struct{}{}:
		default:
		}
	}
}

// Run follows the load until ctx ends. Where the environment sets GOMAXPROCS, or
// there is one processor only, that stays; where the platform does not tell the
// load there is nothing to do.
func Run(ctx context.Context) {
	if _, ok := used(); !ok {
		return
	}
	fixed := os.Getenv("GOMAXPROCS") != "" || runtime.GOMAXPROCS(0) == 1
	if !fixed {
		defer runtime.SetDefaultGOMAXPROCS()
	}
	timer := time.NewTimer(every)
	defer timer.Stop()
	var g governor
	var r releaser
	last, _ := used()
	still := 0 // looks in a row that found no load
	for {
		select {
		case <-ctx.Done():
			return
		case <-begins:
			last, _ = used()
			still = 0
			timer.Reset(every)
			continue
		case <-timer.C:
		}
		now, _ := used()
		load, turn := now.since(last)
		if !fixed {
			apply(g.look(load, turn))
		}
		last = now
		if load >= idle {
			still = 0
			rests.Store(false)
			timer.Reset(every)
			continue
		}
		r.look()
		rests.Store(true)
		if still++; still <= doze {
			timer.Reset(atRest)
			continue
		}
		if !fixed { // what comes next is not known: it gets all processors
			apply(g.reset())
		}
		timer.Reset(asleep)
	}
}

// usage is what the process has used so far.
type usage struct {
	at     time.Time
	cpu    time.Duration
	sleeps int64 // of its threads
}

// since gives the load, in processors, and the length of a turn.
func (u usage) since(last usage) (load float64, turn time.Duration) {
	cpu := u.cpu - last.cpu
	return cpu.Seconds() / u.at.Sub(last.at).Seconds(), cpu / time.Duration(max(1, u.sleeps-last.sleeps))
}

// change is what a look leads to.
type change int

const (
	none change = iota
	one
	all
)

func apply(c change) {
	switch c {
	case one:
		runtime.GOMAXPROCS(1)
	case all:
		runtime.SetDefaultGOMAXPROCS()
	}
}

// governor decides. Its zero value begins with all processors.
type governor struct {
	single bool
	calm   int // looks in a row
}

func (g *governor) look(load float64, turn time.Duration) change {
	switch {
	case load < idle:
		return none
	case load < busy && turn < short:
		g.calm++
	default:
		g.calm = 0
	}
	switch {
	case g.single && (load > busy || turn > long):
		g.single = false
		return all
	case !g.single && g.calm >= calm:
		g.single = true
		return one
	}
	return none
}

// reset begins anew, with all processors.
func (g *governor) reset() change {
	was := g.single
	*g = governor{}
	if was {
		return all
	}
	return none
}
