// Package certs holds the certificate that the edge shows on its public port.
//
// Shapes: Certs gives it to TLS and knows how to replace it. It comes from the
// certificate files of the config, or is issued here by a private CA that
// sallyport-edge init makes with MakeCA. That CA is name-constrained: it can
// vouch for the edge, its sites and localhost, and for nothing else, so that
// trusting it is a small thing.
//
// Units and limits: the CA lasts 10 years, a certificate of it 90 days; a new one
// is issued at each start and 30 days before its end.
//
// Errors: a file that is missing, unreadable, damaged, expired, or does not
// belong to the other or to the edge's name is refused with a sentence that says
// which and what to do. At Reload the certificate in use then stays.
//
// Concurrency: Get may be called from anywhere. Open starts no goroutine; Run
// renews.
package certs
