package tenancy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"gatehouse/ipallow"
)

// Levers are what operators have ordered over the command socket, beside what
// the files say: networks that are blocked, tenants that are suspended, in
// maintenance or drained, backends that are drained. A value that a Table was given is never written again. The zero
// Levers orders nothing.
type Levers struct {
	Blocks      []BlockOrder     `json:"blocks,omitempty"`
	Suspended   map[string]Order `json:"suspended,omitempty"`   // by tenant
	Maintenance map[string]Order `json:"maintenance,omitempty"` // by tenant
	Drained     []DrainOrder     `json:"drained,omitempty"`
}

// Order is who ordered something, when, why and for how long.
type Order struct {
	By    string    `json:"by"` // as the command socket names callers: "uid 0"
	At    time.Time `json:"at"`
	Why   string    `json:"why,omitempty"`
	Until time.Time `json:"until,omitzero"` // the first instant at which it no longer holds; zero: until it is taken back
}

// BlockOrder is a network that is refused everywhere for a while.
type BlockOrder struct {
	Prefix netip.Prefix `json:"prefix"`
	Order
}

// Holds reports whether the order is in force at the Unix second now.
func (o *Order) Holds(now int64) bool { return o.Until.IsZero() || now < o.Until.Unix() }

// String says who, when, why and until when, on one line.
func (o *Order) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "command of %s at %s", o.By, stamp(o.At))
	if o.Why != "" {
		fmt.Fprintf(&b, ": %s", o.Why)
	}
	if !o.Until.IsZero() {
		fmt.Fprintf(&b, " (until %s)", stamp(o.Until))
	}
	return b.String()
}

// stamp is how instants are told.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// levers are Levers, compiled. Nil orders nothing.
type levers struct {
	said    Levers
	block   *ipallow.Timed
	drained map[string]*drained // by tenant
}

// WithLevers returns a table that decides as t does, with these orders in place
// of t's, as another generation. Tenants keep their pointers. It cannot fail.
func (t *Table) WithLevers(l Levers, generation uint64) *Table {
	next := *t
	next.generation = generation
	next.levers = nil
	if len(l.Blocks)+len(l.Suspended)+len(l.Maintenance)+len(l.Drained) > 0 {
		entries := make([]ipallow.TimedEntry, len(l.Blocks))
		for i, b := range l.Blocks {
			entries[i] = ipallow.TimedEntry{Prefix: b.Prefix, Until: b.Until.Unix()}
		}
		next.levers = &levers{said: l, block: ipallow.NewTimed(entries), drained: newDrained(l.Drained)}
	}
	return &next
}

// Suspends reports whether an operator has suspended the tenant.
func (t *Table) Suspends(tenant string) bool {
	_, ok := t.levers.suspended(tenant)
	return ok
}

// blocks reports whether client is in a network that was blocked by command.
func (l *levers) blocks(client netip.Addr, now int64) bool {
	return l != nil && l.block.Contains(client, now)
}

// blocking returns the order that blocks client.
func (l *levers) blocking(client netip.Addr, now int64) (b BlockOrder, ok bool) {
	if l == nil {
		return BlockOrder{}, false
	}
	p, ok := l.block.Explain(client, now)
	for _, b := range l.said.Blocks {
		if ok && b.Prefix == p && b.Holds(now) {
			return b, true
		}
	}
	return BlockOrder{}, false
}

func (l *levers) suspended(tenant string) (o Order, ok bool) {
	if l == nil {
		return Order{}, false
	}
	o, ok = l.said.Suspended[tenant]
	return o, ok
}

// maintenance returns the order that puts a tenant into maintenance now.
func (l *levers) maintenance(tenant string, now int64) (o Order, ok bool) {
	if l == nil {
		return Order{}, false
	}
	o, ok = l.said.Maintenance[tenant]
	return o, ok && o.Holds(now)
}
