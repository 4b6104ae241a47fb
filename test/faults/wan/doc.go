//go:build linux

// Package wan joins two network namespaces by an emulated wide-area network:
// two TUN devices, and between them delay, jitter, loss, rate, a bounded queue,
// reordering, a largest packet, a black hole. All that is left to chance comes
// from a seed. It exists because the kernels that tests run on often have no
// netem, and because a proxy acknowledges what it takes: a real path does not.
//
// Shapes: a Namespace is somewhere to run things in; Do runs a function there,
// and what it starts or opens stays there. A Network joins two of them; each
// direction has a Path, which may be changed at any time. Address, Stir and
// Down change what the near side's kernel knows.
//
// Units: rates are bits per second, sizes bytes of IP packets.
//
// What it carries: packets of up to MTU bytes, one read and one write each, no
// offloads (so that losing a packet loses what a packet holds): above 1 Gbit/s
// on one core, which the test of the package prints.
//
// Needs root and /dev/net/tun; Available says what is missing.
//
// Concurrency: Run starts what it needs and joins it; all else may be called
// from any goroutine.
package wan
