// Package login holds attempts to sign in by browser, from the daemon's start
// to its redeeming of the code that the browser brought back.
//
// Shapes: the Service is a bounded table of attempts in memory. The daemon's
// side (Start, Redeem, Cancel) comes from the relay, each call with the device
// key of its link. The browser's side (View, Open, Callback, Identify, Accept,
// Refuse) comes from the web pages, each call with the secret that the browser
// holds in a cookie.
//
// State of an attempt, moved only by the pure function next:
//
//	started -> opened -> at-provider -> returned -> identified -> approved -> redeemed
//	             ^___________|______________|____________|
//	any of these but redeemed -> refused | expired | abandoned
//
// Started: nothing but looking is allowed. Opened: the first browser that POSTs
// owns it; it may open again until the yes. At-provider: state, nonce and PKCE
// verifier wait for the callback. Returned: the provider's code is being
// exchanged. Identified: the provider named the person; the confirm page is due.
// Approved: a code waits to be redeemed. Redeemed and the last three are final.
//
// Units and limits: see the constants; an attempt lives as long as the
// setting login.timeout says, a loopback code 60 seconds, an approval code 120 seconds and 5 tries.
//
// Errors: the daemon's side gets *wire.Reason. The browser's side gets the
// sentinels of this package.
//
// Concurrency: New starts nothing; Run expires attempts. All methods may be
// called at any time; no hook is called under a lock.
//
// Source: design section 6, protocol rules 27 and 28. It imports the neighbour
// policy to ask who may publish.
package login
