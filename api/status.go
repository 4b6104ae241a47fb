package api

import "time"

// Headline is the one word a tray icon shows.
type Headline string

const (
	HeadlineSignedOut  Headline = "signed-out"
	HeadlineConnecting Headline = "connecting"
	HeadlineReady      Headline = "ready"
	HeadlineDegraded   Headline = "degraded"
	HeadlineOffline    Headline = "offline"
	HeadlinePaused     Headline = "paused"
	HeadlineUnset      Headline = "unset" // no edge chosen yet
)

// Status is the whole of what one caller may see, at one moment.
type Status struct {
	Headline Headline `json:"headline"`
	// Text is Headline in words, one line.
	Text string    `json:"text"`
	At   time.Time `json:"at"`
	// User is the OS user that asked.
	User string `json:"user"`
	// Administrator says whether that user may change tunnels and the machine's settings.
	Administrator bool        `json:"administrator"`
	Version       string      `json:"version"`
	Edges         []Edge      `json:"edges"`
	Sessions      []Session   `json:"sessions"`
	Logins        []Login     `json:"logins"`
	Forwards      []Forward   `json:"forwards"`
	Tunnels       []Tunnel    `json:"tunnels"`
	Enrolments    []Enrolment `json:"enrolments"`
	// Problems are faults of the daemon itself (damaged database, missing
	// owner check, ...).
	Problems []Problem `json:"problems"`
}

// Event is one message of GET /v1/events, as a line of application/x-ndjson.
type Event struct {
	// Seq grows by at least one an event within one daemon process.
	Seq uint64 `json:"seq"`
	// Kind is "status" or "heartbeat".
	Kind string `json:"kind"`
	// Status is nil on a heartbeat.
	Status *Status `json:"status,omitempty"`
}

// The kinds of an Event.
const (
	EventStatus    = "status"
	EventHeartbeat = "heartbeat"
)

// HeartbeatEvery is how often an idle event stream shows that it is alive.
const HeartbeatEvery = 15 * time.Second
