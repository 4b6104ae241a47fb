package logging

// The keys of attributes, so that one question is asked of all logs with one
// word. Add here before using a new one.
const (
	KeyAddress   = "address"   // IP:PORT or pipe of a peer
	KeyApp       = "app"       // hostname of an app
	KeyAttempt   = "attempt"   // id of a login attempt
	KeyBytesIn   = "bytes_in"  // payload received
	KeyBytesOut  = "bytes_out" // payload sent
	KeyCode      = "code"      // wire.Code or api.Code
	KeyConnector = "connector" // connector id
	KeyDuration  = "duration"  // time.Duration
	KeyEdge      = "edge"      // name of an edge
	KeyError     = "error"     // an error
	KeyFile      = "file"      // path of a file of ours
	KeyForward   = "forward"   // forward id
	KeyHostname  = "hostname"  // hostname of an app at a daemon
	KeyKey       = "key"       // wire.KeyID of a device key
	KeyListen    = "listen"    // what a forward listens on
	KeyMethod    = "method"    // HTTP method
	KeyOrigin    = "origin"    // origin of a tunnel
	KeyOwner     = "owner"     // OS user
	KeyPath      = "path"      // path of a request, without its query
	KeyPerson    = "person"    // email of a person
	KeyPID       = "pid"       // process id
	KeyReason    = "reason"    // text of a reason
	KeyRole      = "role"      // client or host
	KeyRule      = "rule"      // policy rule that decided
	KeySession   = "session"   // session id
	KeySite      = "site"      // zone
	KeySocket    = "socket"    // path of a local socket
	KeyState     = "state"     // state of a state machine
	KeyStatus    = "status"    // HTTP status
	KeyStream    = "stream"    // wire.StreamID
	KeyTrace     = "trace"     // wire.TraceID
	KeyTrunk     = "trunk"     // wire.TrunkID
	KeyTunnel    = "tunnel"    // tunnel id
	KeyVersion   = "version"   // version of a program
)
