package proxy

import (
	"sync/atomic"

	"gatehouse/internal/limit"
)

const (
	// connectionsMax is how many client connections may be open at a time. An
	// idle one takes about 15 KiB with the kernel's part aside, so this is
	// 2 GiB at rest; beyond it new ones are closed, and those that are open go
	// on.
	connectionsMax = 131_072

	// connectionsPerClientMax is how many of them may come from one client
	// address where the listener says nothing else. An office of several hundred browsers behind one address, each
	// with six HTTP/1.1 connections, stays below it; to fill connectionsMax
	// takes 32 addresses at least.
	connectionsPerClientMax = 4096

	// handshakesMax is how many connections may be between accept and the end
	// of their TLS handshake: about 20 KiB each, 320 MiB.
	handshakesMax = 16_384
)

// budget counts connections against what one client, and all together, may
// have. What it remembers is bounded by the number of open connections.
type budget struct {
	open       atomic.Int64
	handshakes atomic.Int64
	clients    limit.Counts
}

// claims are the places that a connection holds.
type claims struct {
	place     bool          // among all connections
	handshake atomic.Bool   // among the unfinished handshakes
	client    limit.Address // among those of this client; zero for none
}

// claim takes a place for c among all connections and among the unfinished
// handshakes; false when there is none.
func (b *budget) claim(c *conn) bool {
	if !take(&b.open, connectionsMax) {
		return false
	}
	c.claims.place = true
	if !take(&b.handshakes, handshakesMax) {
		return false
	}
	c.claims.handshake.Store(true)
	return true
}

func take(n *atomic.Int64, most int64) bool {
	if n.Add(1) > most {
		n.Add(-1)
		return false
	}
	return true
}

// claimClient takes one of the places of c's client, which may have most; false
// when it has them all.
func (b *budget) claimClient(c *conn, most int) bool {
	a := limit.AddressOf(c.peer.client)
	if !b.clients.Take(a, most) {
		return false
	}
	c.claims.client = a
	return true
}

// shaken gives back the place among the unfinished handshakes, if c holds one.
func (b *budget) shaken(c *conn) {
	if c.claims.handshake.Swap(false) {
		b.handshakes.Add(-1)
	}
}

// unclaim gives back all that a closed connection holds.
func (b *budget) unclaim(c *conn) {
	b.shaken(c)
	if c.claims.place {
		b.open.Add(-1)
	}
	if a := c.claims.client; a != 0 {
		b.clients.Give(a)
	}
}
