package hostilepeer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/sallyport/sallyport/test/faults/hostilepeer/speak"
)

// Stage is where behaviours are played. All but the unexported is required.
type Stage struct {
	Edge speak.Edge
	// Browser signs the hostile person in, who may use App, and gives the code.
	Browser func(ctx context.Context, url string) (code string, err error)
	// Token makes a join token for Evil, always of the same connector group.
	Token func(ctx context.Context) (string, error)
	// App is served by an honest host; its origin echoes. Evil is served by the
	// hostile host.
	App, Evil string
	// Forward is the honest client's forward to Evil.
	Forward string
	// OriginConns and OriginBytes count what has reached the origin of App.
	OriginConns, OriginBytes func() int64
	// CutStream is the administrator's cut; it returns when it is done.
	CutStream func(ctx context.Context, stream string) error
	// Honest names a live stream of an honest client and its trunk.
	Honest func(ctx context.Context) (trunk, stream string, err error)

	// Meanwhile is called once what a hostile host does has come to something, and
	// the host is still there; nil: nothing is looked at.
	Meanwhile func(ctx context.Context) error

	// ClientID and HostID are the hostile keys, once it is prepared.
	ClientID, HostID *speak.Identity
	other            *speak.Identity
}

// Prepare signs the hostile client in twice, with two keys, and enrols the
// hostile host.
func (s *Stage) Prepare(ctx context.Context) error {
	for _, id := range []**speak.Identity{&s.ClientID, &s.other, &s.HostID} {
		var err error
		if *id, err = speak.NewIdentity(); err != nil {
			return err
		}
	}
	for _, id := range []*speak.Identity{s.ClientID, s.other} {
		if err := speak.SignIn(ctx, s.Edge, id, s.Browser); err != nil {
			return err
		}
	}
	token, err := s.Token(ctx)
	if err != nil {
		return err
	}
	return speak.Enrol(ctx, s.Edge, s.HostID, token)
}

// Program is one of those under attack.
type Program string

const (
	TheEdge   Program = "edge"
	TheHost   Program = "host"
	TheClient Program = "client"
)

// Outcome is what came of a behaviour.
type Outcome string

const (
	// Cut: the offender's link or trunk was ended.
	Cut Outcome = "cut"
	// Refused: it was answered with a reason, and the link or trunk goes on.
	Refused Outcome = "refused"
	// Borne: nothing happened, and the link or trunk goes on.
	Borne Outcome = "borne"
)

// Behaviour is one thing that a hostile peer does.
type Behaviour struct {
	Name   string
	Actor  string // stranger, client, host
	Victim Program
	// Want is what must come of it; more than one where each is right.
	Want   []Outcome
	Within time.Duration // bounds the time until then; 0 is two seconds
	Log    int64         // what it may have the victim log, where that is more than others may
	Rests  bool          // waits for a time limit alone: may be played beside others, on a stage of its own
	play   func(ctx context.Context, s *Stage, within time.Duration) (Outcome, time.Duration, error)
}

// Result is what came of a behaviour.
type Result struct {
	Behaviour Behaviour
	Outcome   Outcome
	After     time.Duration // from the offence to the outcome
	Err       error         // why it could not be played, or what is wrong
}

// Slow says that the behaviour waits for a time limit of the protocol.
func (b Behaviour) Slow() bool { return b.Within > 3*time.Second }

const (
	// quick bounds an outcome that waits for no time limit of the protocol.
	quick = 2 * time.Second
	// moment is how long a link is watched that is to live.
	moment = 500 * time.Millisecond
)

// Play does it and judges what came of it.
func (s *Stage) Play(ctx context.Context, b Behaviour) Result {
	within := cmp.Or(b.Within, quick)
	wait := within
	if b.Within == 0 && len(b.Want) == 1 && b.Want[0] == Borne {
		wait = moment
	}
	r := Result{Behaviour: b}
	r.Outcome, r.After, r.Err = b.play(ctx, s, wait)
	switch {
	case r.Err != nil:
	case !slices.Contains(b.Want, r.Outcome):
		r.Err = fmt.Errorf("outcome is %s, want %s", r.Outcome, b.Want)
	case r.Outcome != Borne && r.After > within:
		r.Err = fmt.Errorf("took %s, at most %s allowed", r.After.Round(time.Millisecond), within)
	}
	return r
}

// Behaviours are all of them.
func Behaviours() []Behaviour {
	return slices.Concat(strangers(), links(), requests(), hostLinks(), trunks(), openings(), hosts())
}

// judge waits for the end of a connection: cut, or borne where alive says so.
func judge(c net.Conn, within time.Duration, alive func() error) (Outcome, time.Duration, error) {
	d, err := speak.Ends(c, within)
	if !errors.Is(err, speak.ErrLives) {
		return Cut, d, err
	}
	if alive != nil {
		if err := alive(); err != nil {
			return Borne, d, fmt.Errorf("not cut, and not alive: %w", err)
		}
	}
	return Borne, d, nil
}

// answered says which outcome an answer is.
func answered(m speak.Message, since time.Time, err error) (Outcome, time.Duration, error) {
	d := time.Since(since)
	switch {
	case err != nil:
		return Cut, d, nil
	case m.Kind == speak.KindFailure || m.Kind == speak.KindDenied:
		return Refused, d, nil
	}
	return Borne, d, nil
}
