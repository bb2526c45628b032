package tenancy

import (
	"crypto/sha256"
	"net/netip"
	"slices"

	"gatehouse/internal/limit"
	"gatehouse/ipallow"
	"gatehouse/tlsconfig"
)

// Tenant is one compiled tenant. It is immutable. As long as nothing about it
// changes, every Table holds the very same pointer.
type Tenant struct {
	id           string
	file         string
	weight       int
	body         int64 // bytes of a request's body, where host or route say nothing else
	retries      limit.Allowance
	levels       []level
	hosts        []*Host
	routes       []*Route
	services     []*AuthService
	certificates []*tlsconfig.Certificate
	digest       [sha256.Size]byte
}

// ID returns the tenant's name: its label in logs and metrics, and the scope of
// its certificates and tickets.
func (t *Tenant) ID() string { return t.id }

// File returns the file that the tenant is written in.
func (t *Tenant) File() string { return t.file }

// Weight returns the tenant's share of the gateway where that is scarce, in
// relation to those of others; at least 1.
func (t *Tenant) Weight() int { return t.weight }

// Digest is equal for two compilations of a tenant only if they mean the same.
// Positions in files do not count.
func (t *Tenant) Digest() [sha256.Size]byte { return t.digest }

// Hosts returns the tenant's hosts in the order in which they are written.
func (t *Tenant) Hosts() []*Host { return slices.Clone(t.hosts) }

// Routes returns all routes of all hosts. The Index of each is its place here.
// Hosts without settings of their own share their routes.
func (t *Tenant) Routes() []*Route { return slices.Clone(t.routes) }

// Certificates returns the pairs that the tenant brings from files. They are
// for its own hosts alone.
func (t *Tenant) Certificates() []*tlsconfig.Certificate { return slices.Clone(t.certificates) }

// level is the access of one level and how it refuses. All levels that a
// request meets must admit its client.
type level struct {
	name   string // for the trace: `tenant "acme"`
	access *ipallow.Access
	how    ipallow.RefuseWith
}

// admits asks each of levels, and returns the first that refuses.
func admits(levels []level, client netip.Addr, m ipallow.Moment) (refusing *level) {
	for i := range levels {
		if !levels[i].access.AdmitsAt(client, m) {
			return &levels[i]
		}
	}
	return nil
}

// everybody reports whether each of levels admits all clients, but for some.
func everybody(levels []level) bool {
	for i := range levels {
		if !levels[i].access.Everybody() {
			return false
		}
	}
	return true
}

// hiding returns the first level that refuses client as if the host did not
// exist: by handshake or, where also404 is set, by 404.
func hiding(levels []level, client netip.Addr, m ipallow.Moment, also404 bool) *level {
	for i := range levels {
		l := &levels[i]
		hides := l.how == ipallow.RefuseHandshake || also404 && l.how == ipallow.Refuse404
		if hides && !l.access.AdmitsAt(client, m) {
			return l
		}
	}
	return nil
}
