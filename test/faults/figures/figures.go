//go:build linux

// Package figures measures what is promised in numbers about streams, hostile
// peers and middles, and the local machine (S1 to S7, H1 to H3, H5 to H7, H9, L1 to L3, L7 of the
// project's goals) on the real programs. Each is scaled so that all of them take a
// few minutes; the table says the scale.
//
// Concurrency: one figure at a time; each joins what it started.
package figures

import (
	"context"
	"errors"
	"time"

	"github.com/sallyport/sallyport/test/faults/machine"
	"github.com/sallyport/sallyport/test/faults/middles"
	"github.com/sallyport/sallyport/test/faults/stalls"
	"github.com/sallyport/sallyport/test/faults/suite"
)

// Figure is one promise.
type Figure struct {
	ID, What string
	// Scale is how much of it is played.
	Scale string
	// Far wants a World of suite.OpenFar.
	Far bool
	// Rests: most of it is time limits, and it may be played beside others.
	Rests bool
	// direct: it is timed, so the client does without its proxy.
	direct bool
	run    func(ctx context.Context, w *suite.World) (got string, err error)
}

// limit bounds one figure.
const limit = 4 * time.Minute

// Play measures it; the error says how it falls short.
func (f Figure) Play(ctx context.Context, w *suite.World) (got string, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if f.direct {
		if err := w.Direct(ctx, true); err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, w.Direct(context.WithoutCancel(ctx), false)) }()
	}
	return f.run(ctx, w)
}

// ShortError says that nothing broke, but a promised time, ratio or size is not
// reached: what a machine that is busy with something else can do, too.
type ShortError struct{ Want string }

func (e *ShortError) Error() string { return "falls short: wanted " + e.Want }

// All are the figures.
func All() []Figure {
	return []Figure{
		{ID: "S1", What: "streams of all kinds, half-closes, 1-byte writes, resets, faults on: byte by byte", Scale: "4,000 of 100,000, up to 256 KiB", run: manyStreams},
		{ID: "S2", What: "edge killed with -9 under 500 streams; descriptors back after 10 s; nobody asked to log in", Scale: "1 of 50 daemons, up to 8 MiB", run: killedEdge},
		{ID: "S2", What: "the same where streams do not resume: reset; goroutines, descriptors", Scale: "1 of 50 daemons, up to 8 MiB", run: killedUnresumed},
		{ID: "S3", What: "cut and heal, over and over: every stream survives, no leak", Scale: "40 s of cycles", Rests: true, run: cycles},
		{ID: "S4", What: "one stream never read and one at 1 KiB/s beside a bulk stream: others' p99 and throughput against quiet", Scale: "whole", direct: true, run: stalledReaders},
		{ID: "S5", What: "5 % loss, 300 ms, reordering, 64 kbit/s: a login and 10 streams, no false disconnect", Scale: "60 s of 10 min", Far: true, run: badNetwork},
		{ID: "S6", What: "links back after an edge restart; live traffic meanwhile against quiet", Scale: "whole: 1,000 links", direct: true, run: fleetBack},
		{ID: "S7", What: "hostile proxies and portals, name servers, certificates and paths between a signed-in client and its edge: the reason shown, nothing secret sent, back when they lead there", Scale: "whole: 12", Far: true, run: orSlow(middles.Portals, middles.ErrSlow)},
		{ID: "H1", What: "20 peers of bad frames, 10,000 a minute each: others' p99, memory, log", Scale: "15 s of a minute", direct: true, run: badFrames},
		{ID: "H1", What: "a flood at full speed: until the offender is cut", Scale: "20 peers, one after another", direct: true, run: floods},
		{ID: "H3", What: "connections stalled at each stage: honest handshake, culled", Scale: "whole: 5,000", run: orSlow(stalls.Handshakes, stalls.ErrLate)},
		{ID: "H2", What: "bytes beyond the windows; all windows filled for readers that do not read, nothing acknowledged: memory, others", Scale: "1,500 streams, both ways", direct: true, run: windows},
		{ID: "H5", What: "streams reset before their Verdict, as fast as it goes: those that reach policy; others' p99", Scale: "8 s", direct: true, run: earlyResets},
		{ID: "H6", What: "hostile hosts: an error at the client or an honest replica instead, never another's identity", Scale: "whole", run: hostileHosts},
		{ID: "H7", What: "a frame that stalls half way on links, trunks and lanes, towards edge, host and client: others' calls, culled", Scale: "whole", Rests: true, run: orSlow(stalls.Frames, stalls.ErrSlow)},
		{ID: "L1", What: "every route of the control API, by its owner, others, administrators, nobody; a flood beside the owner", Scale: "whole: 10,000 calls", run: onMachine((*machine.Machine).Control)},
		{ID: "L2", What: "another OS user at a forward, in five manners; its owner; the cost of the check", Scale: "whole: 10,000 each", direct: true, run: onMachine((*machine.Machine).Ports)},
		{ID: "L2", What: "a forward that an administrator shares with a group, with everyone, with nobody", Scale: "200 connections each", direct: true, run: onMachine((*machine.Machine).Shared)},
		{ID: "L3", What: "requests of web pages against every listener", Scale: "whole: 720 each", direct: true, run: onMachine((*machine.Machine).Pages)},
		{ID: "L7", What: "an OS user removed, and another made with the same number", Scale: "whole", direct: true, run: onMachine((*machine.Machine).Reused)},
		{ID: "H9", What: "a flipped bit at every byte of a link's first 4 KiB, and at some later", Scale: "whole: 4,096 and 1,000 later, each way", run: flippedBits},
	}
}

// orSlow plays a figure of another package, whose slow is a ShortError here.
func orSlow(f func(context.Context, *suite.World) (string, error), slow error) func(context.Context, *suite.World) (string, error) {
	return func(ctx context.Context, w *suite.World) (string, error) {
		got, err := f(ctx, w)
		if errors.Is(err, slow) {
			err = &ShortError{slow.Error()}
		}
		return got, err
	}
}

// onMachine plays a figure of package machine.
func onMachine(f func(*machine.Machine, context.Context) (string, error)) func(context.Context, *suite.World) (string, error) {
	return func(ctx context.Context, w *suite.World) (string, error) {
		m, err := machine.Open(ctx, w)
		if err != nil {
			return "", err
		}
		defer m.Close()
		got, err := f(m, ctx)
		switch {
		case errors.Is(err, machine.ErrLate):
			err = &ShortError{"p99 < 50 ms"}
		case errors.Is(err, machine.ErrSlow):
			err = &ShortError{"p99 + 2 ms"}
		}
		return got, err
	}
}
