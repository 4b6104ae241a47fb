package listing

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/sallyport/sallyport/wire"
)

// Info is one live stream as an administrator sees it.
type Info struct {
	ID        wire.StreamID `json:"id"`
	Trace     wire.TraceID  `json:"trace"`
	Trunk     wire.TrunkID  `json:"trunk"`
	Session   string        `json:"session"`
	Email     string        `json:"email"`
	Device    string        `json:"device"`
	OSUser    string        `json:"os_user"`
	Address   string        `json:"address"`
	Hostname  string        `json:"hostname"`
	Port      uint16        `json:"port,omitempty"`
	Connector string        `json:"connector"`
	Rule      string        `json:"rule"`
	StartedAt time.Time     `json:"started_at"`
	// Parked: its trunk is lost, and it waits for another.
	Parked bool `json:"parked,omitempty"`
}

// Sort orders streams by their start.
func Sort(list []Info) {
	slices.SortFunc(list, func(a, b Info) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), bytes.Compare(a.ID[:], b.ID[:]))
	})
}
