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

	// clientGreed leaves a fifth of all connections to others when one client
	// opens all it can, and when a hundred do, enough for a few handshakes.
	clientGreed = 4

	// handshakesMax is how many connections may be between accept and the end
	// of their TLS handshake: estimated at 24 KiB each (20 measured,
	// and the buffer of preview), 384 MiB.
	handshakesMax = 16_384
)

// budget counts connections against what one client may have, and handshakes
// against what there may be. What it remembers is bounded by the number of open
// connections.
type budget struct {
	handshakes atomic.Int64
	clients    limit.Counts
}

// claims are the places that a connection holds.
type claims struct {
	handshake atomic.Bool   // among the unfinished handshakes
	client    limit.Address // among those of this client; zero for none
}

// claim takes a place for c among the unfinished handshakes; false when there is
// none.
func (b *budget) claim(c *conn) bool {
	if b.handshakes.Add(1) > handshakesMax {
		b.handshakes.Add(-1)
		return false
	}
	c.claims.handshake.Store(true)
	return true
}

// claimClient takes one of the places of c's client, which may have most; false
// when it has them all. As connections run short, of which there can be room
// more, or handshakes, a client may have no more than clientGreed times what is
// left: whoever has many gets none, and whoever has few gets in.
func (b *budget) claimClient(c *conn, most, room int) bool {
	a := limit.AddressOf(c.peer.client)
	room = min(room, handshakesMax-int(b.handshakes.Load()))
	if !b.clients.Take(a, min(most, clientGreed*room)) {
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
	if a := c.claims.client; a != 0 {
		b.clients.Give(a)
	}
}
