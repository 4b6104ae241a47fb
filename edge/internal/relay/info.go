package relay

import (
	"context"

	"github.com/sallyport/sallyport/edge/internal/relay/listing"
	"github.com/sallyport/sallyport/edge/internal/relay/trunk"
	"github.com/sallyport/sallyport/wire"
)

// ErrNoStream: no live stream has that id.
var ErrNoStream = trunk.ErrNoStream

// StreamInfo is one live stream as an administrator sees it.
type StreamInfo = listing.Info

// Counts is what is connected at one moment.
type Counts struct {
	// Clients are links with role client, Hosts those with role host.
	Clients int `json:"clients"`
	Hosts   int `json:"hosts"`
	// Waiting links have neither session nor connector; they are among the two above.
	Waiting int `json:"waiting"`
	Trunks  int `json:"trunks"`
	Streams int `json:"streams"`
	// Parked streams wait for another trunk; they are not among Streams.
	Parked int `json:"parked"`
	// BytesSpliced counts both directions of all trunks since the start.
	BytesSpliced uint64 `json:"bytes_spliced"`
}

// Streams lists the live streams, ordered by their start.
func (r *Relay) Streams() []StreamInfo { return r.trunks.Streams() }

// CutStream ends one stream at once; it returns when the host has confirmed, or
// the whole trunk is closed. ErrNoStream where there is none of that id.
func (r *Relay) CutStream(ctx context.Context, id wire.StreamID, why wire.Reason) error {
	return r.trunks.CutStream(ctx, id, why)
}

// Links counts what is connected now.
func (r *Relay) Links() Counts {
	var c Counts
	c.Trunks, c.Streams, c.Parked, c.BytesSpliced = r.trunks.Count()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.peers {
		if p.role == wire.RoleHost {
			c.Hosts++
		} else {
			c.Clients++
		}
		if p.loose != nil {
			c.Waiting++
		}
	}
	return c
}
