// Program demo runs the main job of Sallyport on this machine, with everything
// below one directory that is removed at the end: an edge on loopback with the
// embedded provider and one person, a host daemon that joined by a token and
// publishes a service, and a client daemon with a forward to it.
//
// With -login auto it signs the person in by walking the login pages, moves
// 64 MiB both ways through the forward, compares checksums and ends with 0 or 1.
//
// `demo service` is the service that is published where no -origin is given.
package main
