package envelope

import "fmt"

// State is a stream apart from what carries it.
type State struct {
	ID    [16]byte
	Trace [8]byte
	// Epoch counts the carriers: 0 is the one that brought OPEN.
	Epoch uint32
	Out   Out
	In    In
}

// Init prepares a state; the budget bounds its windows and what it keeps.
func (s *State) Init(o Opening, b *Budget) {
	s.ID, s.Trace = o.ID, o.Trace
	s.In.budget, s.Out.budget = b, b
}

// Attachment is what this side says first on a carrier of the given epoch.
func (s *State) Attachment(epoch uint32) Attachment {
	return Attachment{ID: s.ID, Epoch: epoch, Received: s.In.received, FinSeen: s.In.fin}
}

// Attach takes the peer's word on a new carrier: everything of older epochs is
// void, and sending goes on from what the peer received. At the host the epoch
// must be larger than the last; the client, which chose it, has set it with
// its own Attachment and gives own = true.
func (s *State) Attach(a Attachment, own bool) error {
	if a.ID != s.ID {
		return ErrID
	}
	if !own && a.Epoch <= s.Epoch || own && a.Epoch != s.Epoch {
		return fmt.Errorf("epoch %d after %d: %w", a.Epoch, s.Epoch, ErrEpoch)
	}
	if err := s.Out.Rewind(a.Received, a.FinSeen); err != nil {
		return err
	}
	s.Epoch = a.Epoch
	return nil
}

// Carried is how much payload was taken in and came, together.
func (s *State) Carried() uint64 { return s.Out.Total() + s.In.Total() }

// Over says that both directions ended in order.
func (s *State) Over() bool { return s.Out.Done() && s.In.Done() }

// Drop frees everything that the state holds.
func (s *State) Drop() {
	s.Out.Drop()
	s.In.Drop()
}
