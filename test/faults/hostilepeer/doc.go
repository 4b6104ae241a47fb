// Package hostilepeer speaks the tunnel protocol by hand and breaks it on
// purpose, with the hand-written speaker of package speak and no code of the
// daemons or the edge.
//
// Shapes: a Stage is the place: an edge, an honest host and client, an app that
// the hostile host serves. A Behaviour is one thing that a hostile client, host
// or stranger does, against which program, and what must come of it.
//
// Concurrency: a Behaviour uses its connections from one goroutine, but where
// it says so.
package hostilepeer
