// Package sessions keeps what a successful login leaves: a person on a device
// key, until the session expires or is ended.
//
// Shapes: a Session is a durable row; the Service is the one writer of these
// rows and holds the live ones in memory, because Get is asked for every stream.
//
// Tokens: a session token is "ID.SECRET" with 256 random bits of secret. At rest
// there are only the SHA-256 of the newest token and of the one that the daemon
// last showed. Each Resume makes a new one, stored before it is returned, since
// the daemon may lose the answer. A token of a live session that is neither of
// the two means that somebody copied the daemon's state: the session ends with
// key-copied, and a new login clears it. A token is worthless on another key.
//
// One key has one live session. A new login on the key replaces it, also where
// it is the same person: streams belong to a session id, so they cannot pass
// from the one to the other, and are cut.
//
// Errors: a refusal that the daemon is to hear is a *wire.Reason; others are of
// the store.
//
// Concurrency: New starts nothing; the caller runs Run. All methods may be
// called at any time. Sessions of one id are changed one at a time.
//
// It imports the neighbour policy for its noun Subject alone.
package sessions
