// Package harness runs the real programs for the stories of test/e2e, the
// benchmark and the demo: an edge on loopback with the embedded provider, and
// daemons with directories and sockets of their own.
//
// Shapes: a World owns one directory and every process started in it; an Edge
// and a Daemon are its processes, each with the commands that a person would
// type. Status is read by `sallyport status --json`.
//
// Concurrency: processes belong to the World; Close ends and joins them all.
// Their output goes to files below the World's directory; Logs gives it.
package harness
