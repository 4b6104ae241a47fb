// Package portal plays what stands between a daemon and its edge and does not
// lead there: proxies that refuse or mumble, pages to sign in at, boxes that open
// TLS, name servers that lie, impostors of an edge. It keeps every byte that it is
// told, so that what was given to it can be looked for.
//
// Shapes: a Middle listens, and does to each connection what its Trick says; Turn
// gives it another. Names is a name server. An Authority signs certificates.
//
// Concurrency: Run serves and joins what it started; all else may be called from
// any goroutine.
package portal
