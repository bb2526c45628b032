// Package wire reads what a stranger sends first on a connection, before TLS
// and HTTP: the PROXY protocol header of a load balancer, versions 1 and 2
// (HAProxy's proxy-protocol.txt).
//
// Everything is parsed from bytes that the caller has read. A header says
// itself where it ends, so [ParseProxyHeader] returns its length and the
// caller keeps what stands behind it for the next protocol: nothing is lost by
// having read more than the header.
package wire
