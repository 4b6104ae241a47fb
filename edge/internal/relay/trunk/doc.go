// Package trunk is the data plane of an edge as rows: trunks from their ticket
// to their end, the streams on them, and what decides and cuts both.
//
// Shapes: a Table holds everything. A trunk is the row of one ticket and, once
// both ends came, of their splice. A stream is one row of its trunk. A Link is
// what the table needs to know of a daemon's link.
//
//	trunk:  waiting --both ends came--> joined --an end closed, or cut--> over
//	           \__________expired, failed, voided___________________________/
//	stream: deciding --grant sent--> granted --end reported, or trunk over--> gone
//	           \_______denied, or ended by its client meanwhile_______________/
//
// Errors: refusals are *wire.Reason.
//
// Concurrency: all methods may be called from any goroutine. One lock guards
// all rows; nothing waits under it. Arrive blocks for as long as what it joined
// lives; the cutting methods return when no byte passes any more.
//
// Source: protocol rules 10 to 16, 19, 20 and 25.
package trunk
