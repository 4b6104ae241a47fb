// Package procs fits the number of processors that run Go code to the load of
// the process.
//
// A program that moves small messages has little to do for each of them, and the
// runtime wakes a second thread for it every time one goroutine hands over to
// another: that thread finds nothing, and goes back to sleep. With one processor
// nobody is woken. A program that moves much wants all of them: with one, what is
// small waits behind what is large. So there is one processor while the process
// uses well less than that in short turns, and the runtime's own number otherwise.
//
// Concurrency: Run belongs to one goroutine; there is one for a process.
package procs

import (
	"context"
	"os"
	"runtime"
	"time"
)

const (
	// every is how often the load is looked at, atRest where there was none.
	every, atRest = 250 * time.Millisecond, time.Second
	// calm is how many looks in a row must find short turns.
	calm = 4
	// busy is the load, in processors, from which turns do not matter; idle is
	// that below which they say nothing.
	busy, idle = 0.6, 0.05
	// short and long are turns: processor time between two sleeps of a thread.
	short, long = 50 * time.Microsecond, 60 * time.Microsecond
)

// Run follows the load until ctx ends. Where the environment sets GOMAXPROCS,
// that is what counts, and where the platform does not tell the load, or there is
// one processor only, there is nothing to do.
func Run(ctx context.Context) {
	if _, ok := used(); !ok || os.Getenv("GOMAXPROCS") != "" || runtime.GOMAXPROCS(0) == 1 {
		return
	}
	defer runtime.SetDefaultGOMAXPROCS()
	timer := time.NewTimer(every)
	defer timer.Stop()
	var g governor
	last, _ := used()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now, _ := used()
		load, turn := now.since(last)
		switch g.look(load, turn) {
		case one:
			runtime.GOMAXPROCS(1)
		case all:
			runtime.SetDefaultGOMAXPROCS()
		}
		last = now
		if load < idle {
			timer.Reset(atRest)
		} else {
			timer.Reset(every)
		}
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
