package picture

import (
	"time"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/connector"
	"github.com/sallyport/sallyport/daemon/internal/forward"
	"github.com/sallyport/sallyport/daemon/internal/link"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/wire"
)

// forwardFacts are what the state of a forward follows from.
type forwardFacts struct {
	paused  bool
	edge    bool // the edge is known
	running bool
	entry   forward.Snapshot
	link    api.Link
	session bool
}

// forwardState is a pure function:
//
//	paused ── error (no edge, or not bound) ── starting ── login-needed ── connecting ── ready
//
// the first of them that applies, from the left.
func forwardState(f forwardFacts) (api.ForwardState, *api.Problem) {
	switch {
	case f.paused:
		return api.ForwardPaused, nil
	case !f.edge:
		return api.ForwardError, NoEdge()
	case !f.running, f.entry.State == api.ForwardStarting:
		return api.ForwardStarting, nil
	case f.entry.State == api.ForwardError:
		return api.ForwardError, f.entry.Problem
	case !f.session:
		return api.ForwardLoginNeeded, f.link.Problem
	case f.link.State != api.LinkOnline:
		return api.ForwardConnecting, f.link.Problem
	}
	return api.ForwardReady, nil
}

// tunnelFacts are what the state of a tunnel follows from.
type tunnelFacts struct {
	paused   bool
	edge     bool
	running  bool
	link     api.Link
	enrolled bool
	ended    *store.Reason // why the enrolment is no more
	answered bool          // the edge has said something about the hostname
	answer   wire.RegisterResult
	stats    connector.Stats
}

// tunnelState is a pure function:
//
//	paused ── error (no edge) ── enrol-needed ── connecting ── refused ── origin-down ── published
//
// the first of them that applies, from the left. Whether this machine is
// enrolled is known for sure once the link has been online.
func tunnelState(f tunnelFacts) (api.TunnelState, *api.Problem) {
	switch {
	case f.paused:
		return api.TunnelPaused, nil
	case !f.edge:
		return api.TunnelError, NoMachineEdge()
	case f.ended != nil:
		return api.TunnelEnrolNeeded, enrolmentEnded(f.ended)
	case !f.enrolled && f.link.Problem == nil:
		return api.TunnelEnrolNeeded, notEnrolled()
	case !f.running, f.link.State != api.LinkOnline:
		return api.TunnelConnecting, f.link.Problem
	case f.answered && f.answer.Reason != nil:
		return api.TunnelRefused, link.ProblemOf(f.answer.Reason)
	case !f.answered:
		return api.TunnelConnecting, nil
	case f.stats.Sick:
		return api.TunnelOriginDown, f.stats.Problem
	case f.answer.Note != nil:
		return api.TunnelPublished, link.ProblemOf(f.answer.Note)
	}
	return api.TunnelPublished, nil
}

// sessionState is a pure function of the row, of what the link says, and of the
// time.
func sessionState(row store.Session, live *wire.SessionInfo, now time.Time) (api.SessionState, *api.Problem) {
	switch {
	case row.Ended != nil && wire.Code(row.Ended.Code) == wire.CodeExpired:
		return api.SessionExpired, problemOfReason(row.Ended)
	case row.Ended != nil:
		return api.SessionEnded, problemOfReason(row.Ended)
	case live == nil && row.Info != nil && !now.Before(row.Info.ExpiresAt):
		return api.SessionExpired, &api.Problem{
			Code: api.CodeSessionEnded, Title: "The session has expired", Hint: "Sign in again: sallyport login",
		}
	}
	return api.SessionActive, nil
}

func problemOfReason(r *store.Reason) *api.Problem {
	return link.ProblemOf(&wire.Reason{Code: wire.Code(r.Code), Text: r.Text, Hint: r.Hint})
}

// NoEdge is the problem where no edge was chosen.
func NoEdge() *api.Problem {
	return &api.Problem{
		Code: api.CodeNoEdge, Title: "No edge chosen", Detail: "the daemon does not know which edge to use",
		Hint: "Choose one: sallyport edge use NAME[:PORT]",
	}
}

// NoMachineEdge is the problem where none was chosen for the machine.
func NoMachineEdge() *api.Problem {
	return &api.Problem{
		Code: api.CodeNoEdge, Title: "No edge chosen for this machine", Detail: "tunnels use the machine's edge, and there is none",
		Hint: "Choose one as an administrator: sallyport edge use --machine NAME[:PORT]",
	}
}

func notEnrolled() *api.Problem {
	return &api.Problem{
		Code: api.CodeNotEnrolled, Title: "This machine is not enrolled as a host",
		Hint: "Enrol it: sallyport tunnel login",
	}
}

func enrolmentEnded(r *store.Reason) *api.Problem {
	p := problemOfReason(r)
	if r.Hint == "" {
		copied := *p
		copied.Hint = "Enrol this machine again: sallyport tunnel login"
		p = &copied
	}
	return p
}
