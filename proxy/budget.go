package proxy

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

const (
	// connectionsMax is how many client connections may be open at a time. An
	// idle one takes about 15 KiB with the kernel's part aside, so this is
	// 2 GiB at rest; beyond it new ones are closed, and those that are open go
	// on.
	connectionsMax = 131_072

	// connectionsPerClientMax is how many of them may come from one client
	// address. An office of several hundred browsers behind one address, each
	// with six HTTP/1.1 connections, stays below it; to fill connectionsMax
	// takes 32 addresses at least.
	connectionsPerClientMax = 4096

	// handshakesMax is how many connections may be between accept and the end
	// of their TLS handshake: about 20 KiB each, 320 MiB.
	handshakesMax = 16_384

	// clientV6Bits is the part of an IPv6 address that stands for one client:
	// whoever has one address of a /64 has all of them (RFC 4291 2.5.1).
	clientV6Bits = 64

	// budgetShards keeps accepts on different cores apart.
	budgetShards = 16
)

// budget counts connections against what one client, and all together, may
// have. What it remembers is bounded by the number of open connections.
type budget struct {
	open       atomic.Int64
	handshakes atomic.Int64
	shards     [budgetShards]struct {
		mu      sync.Mutex
		clients map[netip.Addr]int32
	}
}

// claims are the places that a connection holds.
type claims struct {
	place     bool        // among all connections
	handshake atomic.Bool // among the unfinished handshakes
	client    netip.Addr  // among those of this client; invalid for none
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

// claimClient takes one of the places of c's client; false when it has them all.
func (b *budget) claimClient(c *conn) bool {
	a := clientKey(c.peer.client)
	s := &b.shards[shardOf(a)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[a] >= connectionsPerClientMax {
		return false
	}
	if s.clients == nil {
		s.clients = make(map[netip.Addr]int32)
	}
	s.clients[a]++
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
	if a := c.claims.client; a.IsValid() {
		b.unclaimClient(a)
	}
}

func (b *budget) unclaimClient(a netip.Addr) {
	s := &b.shards[shardOf(a)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[a]--; s.clients[a] <= 0 {
		delete(s.clients, a)
	}
}

// clientKey is what counts as one client.
func clientKey(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if !a.Is6() {
		return a
	}
	p, err := a.WithZone("").Prefix(clientV6Bits)
	if err != nil {
		return a
	}
	return p.Addr()
}

// shardOf spreads clients by the last byte of their network.
func shardOf(a netip.Addr) byte {
	b := a.As16()
	return (b[7] ^ b[15]) % budgetShards
}
