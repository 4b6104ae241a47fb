// Package agent keeps the daemon doing what its database says: for each kept
// (or held) forward, tunnel and session the units that serve it run, and no
// others.
//
// Shapes: API calls are methods of Agent, each with the caller's identity. A
// write goes
//
//	validate -> store (or memory, for hold) -> poke -> settle
//
// and Run, the only one that starts and stops anything, goes
//
//	read the desired set -> plan the difference -> stop -> start -> publish
//
// A unit is what runs: a client (link, attempts to sign in and session of one
// OS user at one edge), a host (link, connector and enrolment of this machine
// at one edge), or an entry (one forward). What was published is a picture, of
// which each caller sees a part, as an api.Status.
//
// Which units are desired:
//
//	client   a forward of that owner leads there, there is a session, a logout
//	         is to be delivered, a login is under way, or it was asked for a
//	         short while ago
//	host     there is a tunnel, or an enrolment, or somebody enrols
//	entry    a forward that is not paused, whose edge is known
//
// Errors: what a caller meets is an *api.Problem.
//
// Concurrency: Run owns every goroutine. All methods may be called from
// anywhere. Locks: writing is taken before mu; neither is held while waiting
// for a peer.
package agent
