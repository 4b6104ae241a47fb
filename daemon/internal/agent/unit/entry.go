package unit

import (
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/api"
	"github.com/sallyport/sallyport/daemon/internal/agent/picture"
	"github.com/sallyport/sallyport/daemon/internal/agent/plan"
	"github.com/sallyport/sallyport/daemon/internal/forward"
	"github.com/sallyport/sallyport/daemon/internal/link"
	"github.com/sallyport/sallyport/daemon/internal/owner"
	"github.com/sallyport/sallyport/daemon/internal/store"
	"github.com/sallyport/sallyport/internal/ipc"
	"github.com/sallyport/sallyport/internal/logging"
)

// Entry is one forward.
type Entry struct {
	parts
	Spec plan.Entry
	// Client is what its streams go by.
	Client  *Client
	forward *forward.Forwarder
}

// Entry starts a forward that leads to its client.
func (c Config) Entry(id string, spec plan.Entry, client *Client) *Entry {
	cfg := forward.Config{
		ID: id, Hostname: spec.Hostname, Listen: spec.Listen, OwnerUID: numericUID(spec.Client.Owner),
		Opener: client, Follow: client.link.Follow, Login: client.Attempts, Problem: link.ProblemOf, HTTP: spec.HTTP,
		// Who may listen where was decided when the forward was made.
		AllowRemote: true,
		Log:         c.Log.With(logging.KeyOwner, spec.OwnerName), Changed: c.Touched,
	}
	if !picture.IsUnix(spec.Listen) {
		cfg.Owner = shared(c.Owner.Of(store.UIDOf(spec.Client.Owner), spec.OwnerName), spec.Share)
	}
	u := &Entry{Spec: spec, Client: client, forward: forward.New(cfg)}
	u.parts = c.launch("forward "+id, cfg.Log, u.forward.Run)
	return u
}

// shared lets others in as a forward's share says.
func shared(own owner.Owned, share string) owner.Owned {
	group, named := strings.CutPrefix(share, api.ShareGroup)
	switch {
	case share == api.ShareEveryone:
		return own.SharedWithEverybody()
	case named:
		return own.SharedWith(func(uid string) bool { return ipc.InGroup(uid, group) })
	}
	return own
}

// Picture is how it is.
func (u *Entry) Picture() forward.Snapshot { return u.forward.Snapshot() }

// numericUID is -1 where the system's user ids are no numbers.
func numericUID(uid string) int {
	n, err := strconv.Atoi(store.UIDOf(uid))
	if err != nil {
		return -1
	}
	return n
}
