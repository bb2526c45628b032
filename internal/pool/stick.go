package pool

import (
	"net/netip"
	"time"
)

// A place is a number that stands for a seat in what clients are given to bring
// back. It is the same in every table, and after a restart, while the backend is
// reached at the same address; zero is none.

// placeName is what the place of a seat is worked out from: how the member is
// reached, but for the authorities, which are renewed while sessions last.
func placeName(b *Backend, at netip.Addr) string {
	if b.literal.IsValid() {
		return b.keyOf("")
	}
	return b.keyOf("") + " at " + at.String()
}

// givePlaces gives the seats their places. A name that leads nowhere has none.
func (r *roster) givePlaces(place func(name string) uint64) {
	r.places = make(map[uint64]uint8, len(r.seats))
	for i := range r.seats {
		s := &r.seats[i]
		if s.placeless() {
			continue
		}
		s.at = place(placeName(s.declared, s.Member.place))
		if _, taken := r.places[s.at]; !taken {
			r.places[s.at] = uint8(i)
		}
	}
}

// Prefer has the round begin with the first of these places that takes requests,
// if one does. A backup does so while no other backend can take them; whoever was
// placed there is placed anew afterwards. It is called before Next.
func (r *Round) Prefer(places []uint64, now time.Time) {
	v := r.pool.current(now)
	for _, place := range places {
		if v.stays(place) >= 0 {
			r.preferred = place
			return
		}
	}
}

// stays returns the seat of a place if it takes requests; -1 if it does not, or
// if there is none.
func (v *view) stays(place uint64) int {
	seat, known := v.roster.places[place]
	if !known {
		return -1
	}
	for _, t := range v.tiers[:ejectedPrimary] {
		switch {
		case t == nil:
			continue
		case t.members.has(seat):
			return int(seat)
		}
		return -1
	}
	return -1
}

// Knows reports whether a place is one of the pool's.
func (p *Pool) Knows(place uint64) bool {
	_, known := p.view.Load().roster.places[place]
	return known
}

// Placed returns the place of the backend whose turn it is, and whether it is one
// that the client did not have: zero and false where clients are not kept.
func (r *Round) Placed() (place uint64, fresh bool) {
	return r.place, r.place != 0 && r.place != r.preferred
}

// Pool returns the pool of the round; nil for the zero Round.
func (r *Round) Pool() *Pool { return r.pool }
