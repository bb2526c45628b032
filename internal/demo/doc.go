// Package demo holds what `gatehouse demo` puts behind the gateway: two small
// tenant applications and the routing table that serves them, so that a
// stranger sees one request forwarded, one redirected, one refused and one sent
// to the other tenant within a minute.
package demo
