package tenancy

import (
	"iter"
	"net/netip"
	"slices"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
)

// Table is everything that one generation decides with. It is immutable and
// safe for any number of readers.
type Table struct {
	generation uint64
	exact      map[string]*Host // nil for a name whose tenant is not served
	wildcards  map[string]*Host // by what follows "*."; nil as in exact
	tenants    []*Tenant        // by id
	byID       map[string]*Tenant
	claims     map[string]claim // of the nil entries of exact and wildcards
	block      *ipallow.List
	levers     *levers       // nil as it is compiled; see WithLevers
	live       *ipallow.Live // nil as it is compiled; see WithLive
	sources    tableSources
	listeners  []*Listener
	publicPort int
	timeouts   Timeouts
	limits     *Limits
	untils     []int64 // Unix seconds, sorted, each once
	dialling   dialRules
	memory     *memory
}

// Generation returns the number of the table: one more than that of the table
// that it was compiled after.
func (t *Table) Generation() uint64 { return t.generation }

// Tenants returns the served tenants by id.
func (t *Table) Tenants() []*Tenant { return slices.Clone(t.tenants) }

// Tenant returns the served tenant of that id, or nil.
func (t *Table) Tenant(id string) *Tenant { return t.byID[id] }

// Hosts returns the hosts of all served tenants.
func (t *Table) Hosts() iter.Seq[*Host] {
	return func(yield func(*Host) bool) {
		for _, tenant := range t.tenants {
			for _, h := range tenant.hosts {
				if !yield(h) {
					return
				}
			}
		}
	}
}

// Lookup returns the served host that a name belongs to, or nil. The name may
// be written as clients do: in any case, with a trailing dot, with a port.
func (t *Table) Lookup(name string) *Host {
	var buffer [HostBytesMax]byte
	host, ok := NormalizeHost(buffer[:0], []byte(name))
	if !ok {
		return nil
	}
	return t.find(host)
}

// find returns the served host that a normalised name belongs to, or nil. An
// exact name beats a wildcard, also when its tenant is not served.
func (t *Table) find(host []byte) *Host {
	if h, ok := t.exact[string(host)]; ok {
		return h
	}
	if parent, ok := parentOf(host); ok {
		return t.wildcards[string(parent)]
	}
	return nil
}

// Listeners returns the listeners that the table was compiled for.
func (t *Table) Listeners() []*Listener { return slices.Clone(t.listeners) }

// Timeouts returns what holds where no host is known: on plain HTTP, and until
// the handshake names one.
func (t *Table) Timeouts() Timeouts { return t.timeouts }

// Limits returns what requests are held to where no host is known. It holds on
// to nothing else of the table.
func (t *Table) Limits() *Limits { return t.limits }

// Blocks reports whether client is on the block list, or blocked by command, at
// the Unix second now; 0 asks as if no `until` had passed. It does not allocate.
func (t *Table) Blocks(client netip.Addr, now int64) bool {
	return t.block.ContainsAt(client, t.At(now)) || t.levers.blocks(client, now)
}

// NextUntil returns the first instant later than after at which an entry of
// any list ends, and with it perhaps somebody's access.
func (t *Table) NextUntil(after time.Time) (next time.Time, ok bool) {
	i, _ := slices.BinarySearch(t.untils, after.Unix()+1)
	if i == len(t.untils) {
		return time.Time{}, false
	}
	return time.Unix(t.untils[i], 0).UTC(), true
}

// claim is a host whose tenant is not served. It is refused, and falls to no
// wildcard of another tenant.
type claim struct {
	tenant string
	pos    conf.Pos
}

// claimOf returns the claim that keeps a name from being served.
func (t *Table) claimOf(name string) (claim, bool) {
	var buffer [HostBytesMax]byte
	host, ok := NormalizeHost(buffer[:0], []byte(name))
	if !ok {
		return claim{}, false
	}
	if c, ok := t.claims[string(host)]; ok {
		return c, true
	}
	parent, _ := parentOf(host)
	c, ok := t.claims["*."+string(parent)]
	return c, ok
}
