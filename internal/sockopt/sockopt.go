// Package sockopt sets the socket options of local sockets and carriers.
package sockopt

import "net"

// Local prepares an accepted or dialled local socket.
func Local(c net.Conn) {}

// Linger says whether closing c sends a reset.
func Linger(c net.Conn, abortive bool) {}

// Carrier prepares the socket of a link, trunk or lane.
func Carrier(c net.Conn) {}
