//go:build linux

// Program bench measures the whole path of Sallyport (client daemon, edge and
// host daemon as real processes) beside references measured in the same run,
// and prints ratios with the columns of docs/performance.md.
//
// Shapes: a path is an address to connect to and the processes behind it; a
// workload drives one path for a while and gives figures by name; a row of the
// table is a ratio of medians. The references are sub-commands of the same
// binary, each role its own process:
//
//	D  direct: the service itself
//	R  an ideal un-multiplexed relay: one TLS 1.3 connection for each stream on
//	   both legs, decrypted and encrypted again by the relay
//	E  the same, TLS end to end; the relay splices what it cannot read
//
// Measurements of the paths are interleaved and their order rotates, so that
// what else the machine does falls on all of them. CPU is that of /proc/PID/stat.
//
// Units: bytes are payload, GB is 10^9 bytes, KiB is 2^10.
//
// The WAN rows come from a child in a network namespace of its own, whose other
// side, with the client daemon and the load, is behind an emulated network
// (package wan); D there is a plain TCP connection over the same network. They
// need root and /dev/net/tun and are left out elsewhere.
//
// Every socket on loopback uses reno: on machines whose default is BBR its
// pacing costs a loopback connection two thirds of its throughput.
package main
