// Package admin serves an edge's administration: HTTP and JSON on a Unix socket
// in the state directory, for the sallyport-edge commands.
//
// Shapes: New makes the handler over the rooms that it administers, which it
// knows as interfaces; Listen and Serve put it on the socket. Package adminapi
// holds the nouns, package client is how the commands call it.
//
// Rights: the socket belongs to the user that the edge runs as. The kernel says
// who calls; anybody but that user and root is refused. What a caller changes is
// in the audit log, with the caller, before the answer.
//
// Errors: problem+json with a code and the next step.
//
// Concurrency: Serve owns the connections and returns when they are closed.
package admin
