package pool

import (
	"net/netip"
	"slices"
)

const (
	// seatsMost bounds the seats of a pool: they are counted in a byte. Names
	// share what the other backends leave.
	seatsMost = 256
	// shareUnit is what a backend's weight is shared out in among its addresses:
	// a number that all numbers up to 16 divide.
	shareUnit = 720_720
)

// roster is the seats of a pool at one time. It is immutable.
type roster struct {
	seats []seat
	table []uint8 // see newTable; nil where nothing is hashed
	// places are the seats by their places; nil where no client is kept.
	places map[uint64]uint8
}

// seat is a place that requests can go to: a backend that is written by its
// address, or one address of a backend that is written by name. A name that has
// none so far has one seat without an address.
type seat struct {
	*Member
	declared *Backend // as the present plan has it; Member may know a former one
	weight   uint64   // the seat's share of declared's, in parts of shareUnit
	at       uint64   // its place; zero for none
}

// seats returns those of now.
func (p *Pool) seats() []seat { return p.view.Load().roster.seats }

// assemble returns the seats that the plan's backends have by now. find returns
// a member that exists already by its key, and nil if there is none. Backends of
// equal key count once, so that no attempt goes twice to the same one.
func (p *Pool) assemble(find func(key string) *Member) *roster {
	r := new(roster)
	room := p.seatsPerName()
	seen := make(map[string]bool, len(p.plan.Backends))
	for _, b := range p.plan.Backends {
		if seen[b.key] {
			continue
		}
		seen[b.key] = true
		places := p.places(b, room)
		for _, at := range places {
			key := memberKey(b, at)
			m := find(key)
			if m == nil {
				m = newMember(p, b, at)
			}
			r.seats = append(r.seats, seat{Member: m, declared: b, weight: uint64(b.weight) * (shareUnit / uint64(len(places)))})
		}
	}
	if p.plan.Rules.Balance.Hashes() {
		r.table = newTable(r.seats)
	}
	if p.place != nil && p.plan.Rules.Sticky.Cookie != "" {
		r.givePlaces(p.place)
	}
	return r
}

// seatsPerName returns how many addresses of a name get a seat.
func (p *Pool) seatsPerName() int {
	named := 0
	for _, b := range p.plan.Backends {
		if !b.literal.IsValid() {
			named++
		}
	}
	if named == 0 {
		return 0
	}
	return max(1, (seatsMost-(len(p.plan.Backends)-named))/named)
}

// places returns the addresses of a backend that get a seat: one that is not
// valid stands for a name that leads nowhere so far.
func (p *Pool) places(b *Backend, room int) []netip.Addr {
	if b.literal.IsValid() {
		return []netip.Addr{b.literal}
	}
	var known []netip.Addr
	if n := p.named[b.dialHost]; n != nil {
		known = n.known.Load().addresses
	}
	if len(known) == 0 {
		return []netip.Addr{{}}
	}
	return sample(known, room)
}

// sample returns at most so many addresses, in order. Which they are follows from
// the addresses alone, so that they stay while others come and go, and so that
// several gateways choose alike.
func sample(all []netip.Addr, most int) []netip.Addr {
	if len(all) <= most {
		return all
	}
	chosen := slices.Clone(all)
	rank := func(a netip.Addr) uint64 { raw := a.As16(); return Hash(raw[:]) }
	slices.SortFunc(chosen, func(a, b netip.Addr) int {
		switch x, y := rank(a), rank(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return a.Compare(b)
	})
	chosen = chosen[:most]
	slices.SortFunc(chosen, netip.Addr.Compare)
	return chosen
}

// memberKey is equal for members that are reached in the same way.
func memberKey(b *Backend, at netip.Addr) string {
	switch {
	case b.literal.IsValid():
		return b.key
	case !at.IsValid():
		return b.key + " nowhere"
	}
	return b.key + " at " + at.String()
}

// settle gives the addresses that names lead to by now their seats, and lets go
// of those that they have left: what is idle to these is closed, what is in use
// goes on and is closed instead of kept. It reports whether anything changed.
func (p *Pool) settle() bool {
	p.making.Lock()
	defer p.making.Unlock()
	if p.closed {
		return false
	}
	old := p.view.Load().roster
	byKey := make(map[string]*Member, len(old.seats))
	for _, s := range old.seats {
		byKey[s.key] = s.Member
	}
	next := p.assemble(func(key string) *Member { return byKey[key] })
	same := func(a, b seat) bool { return a.Member == b.Member }
	if slices.EqualFunc(old.seats, next.seats, same) {
		return false
	}
	p.store(next)
	for _, s := range next.seats {
		delete(byKey, s.key)
	}
	p.left = slices.DeleteFunc(p.left, func(m *Member) bool { return m.InFlight() == 0 })
	for _, m := range byKey {
		m.leave(p)
		p.left = append(p.left, m)
	}
	return true
}

// translate returns the set of seats in next whose members are in tried of old.
func (old *roster) translate(tried set, next *roster) (out set) {
	for i, s := range old.seats {
		if !tried.has(uint8(i)) {
			continue
		}
		if k := slices.IndexFunc(next.seats, func(t seat) bool { return t.Member == s.Member }); k >= 0 {
			out.add(uint8(k))
		}
	}
	return out
}
