// Package audit keeps the edge's audit log: one JSON line for each login,
// decision, stream, change and violation, in order, each with the hash of the
// line before.
//
// Shapes: a Log is the open log; a Record is one line. The log is a chain of
// segments: FILE is the present one, FILE.000000000042 an older one whose first
// line has sequence number 42. The chain goes through all of them, so that a
// line that was changed, removed or put in is found by Verify, in the lines after
// it. (Lines cut off at the very end are not; ship the log elsewhere for that.)
//
// Units and limits: a text of a record has at most maxText bytes and no control
// characters but those that JSON escapes; a line is one line whatever a record
// holds. A segment grows to segmentBytes.
//
// Errors: Write fails where the line is not durable; the caller then refuses what
// it was about to do. ErrClosed after the end of Run.
//
// Concurrency: those who wait in Write share one fsync. Note queues; Run writes
// what is queued. Open starts no goroutine.
//
// Never in a record: keys, codes, tokens, cookies, query strings of login pages,
// payload, whole environments.
package audit
