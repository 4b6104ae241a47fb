//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sallyport/sallyport/test/bench/load"
)

const usage = `usage: bench run [-quick] [-reps N] [-only NAME,...] [-entry NAME=HOST:PORT]... [-build NAME=DIR[,KEY=VALUE]...]... [-json FILE]

  -entry adds any other entry port whose service is the benchmark's own
         (its address is printed at the start; -service fixes it)
  -build measures another build, or the same with another environment, beside this one
`

// commands are the roles that this binary plays; all but run are children of it.
var commands = map[string]func(context.Context, []string) error{
	"run":     run,
	"service": load.RunService,
	"client":  runRefClient,
	"relay":   runRefRelay,
	"host":    runRefHost,
	"wan":     runWAN,
	"load":    runLoad,
}

func main() {
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := commands[os.Args[1]](ctx, os.Args[2:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
