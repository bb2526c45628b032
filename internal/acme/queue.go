package acme

import (
	"cmp"
	"container/heap"
	"strings"
	"time"
)

// lane is the hosts of the queue that wait for the same thing: one account,
// with or without a token of it.
type lane struct {
	ca    *authority
	pays  bool
	hosts []*entry // a heap
}

// place is where in the queue an entry stands, or stood when it was set aside.
type place struct {
	lane    *lane // nil: not in the queue
	index   int
	class   class
	urgency int64 // less is more
	at      attempt
	because string // the authority is not the first
}

// queue holds the hosts that could be ordered for at once, by urgency: what an
// operator asks for, what expires, what is live without a certificate, what is
// new. In the last two, tenants take turns: one that brings ten thousand hosts
// does not keep another's first one waiting.
type queue struct {
	lanes []*lane
	turns map[string]int64 // by tenant: the turn of its last host
	now   int64            // the turn that was served last
}

// lane returns the lane of an authority.
func (q *queue) lane(ca *authority, pays bool) *lane {
	for _, l := range q.lanes {
		if l.ca.ID == ca.ID && l.pays == pays {
			return l
		}
	}
	l := &lane{ca: ca, pays: pays}
	q.lanes = append(q.lanes, l)
	return l
}

// assign gives a host its place, which push then takes. Hosts of one tenant
// keep the order in which they come.
func (q *queue) assign(e *entry, p place) {
	if e.turn == 0 {
		if q.turns == nil {
			q.turns = make(map[string]int64)
		}
		e.turn = max(q.turns[e.Tenant], q.now) + 1
		q.turns[e.Tenant] = e.turn
	}
	if p.class >= classLive {
		p.urgency = e.turn
	}
	e.place = p
}

// push places a host that has its place.
func (q *queue) push(e *entry, pays bool) {
	e.place.lane = q.lane(e.place.at.ca, pays)
	heap.Push(e.place.lane, e)
}

// remove takes a host out, wherever it stands.
func (q *queue) remove(e *entry) {
	if e.place.lane != nil {
		heap.Remove(e.place.lane, e.place.index)
		e.place = place{}
	}
}

// pop takes out the most urgent host of the lanes that are open.
func (q *queue) pop(open func(*lane) bool) *entry {
	var best *lane
	for _, l := range q.lanes {
		if len(l.hosts) == 0 || best != nil && !before(l.hosts[0], best.hosts[0]) || !open(l) {
			continue
		}
		best = l
	}
	if best == nil {
		return nil
	}
	e := heap.Pop(best).(*entry)
	if e.place.class >= classLive {
		q.now = max(q.now, e.turn)
	}
	return e
}

// before orders hosts by urgency.
func before(a, b *entry) bool { return compare(a, b) < 0 }

func compare(a, b *entry) int {
	return cmp.Or(
		cmp.Compare(a.place.class, b.place.class),
		cmp.Compare(a.place.urgency, b.place.urgency),
		a.since.Compare(b.since),
		strings.Compare(a.Name, b.Name),
	)
}

// Len implements heap.Interface.
func (l *lane) Len() int { return len(l.hosts) }

// Less implements heap.Interface.
func (l *lane) Less(i, j int) bool { return before(l.hosts[i], l.hosts[j]) }

// Swap implements heap.Interface.
func (l *lane) Swap(i, j int) {
	l.hosts[i], l.hosts[j] = l.hosts[j], l.hosts[i]
	l.hosts[i].place.index, l.hosts[j].place.index = i, j
}

// Push implements heap.Interface.
func (l *lane) Push(x any) {
	e := x.(*entry)
	e.place.index = len(l.hosts)
	l.hosts = append(l.hosts, e)
}

// Pop implements heap.Interface.
func (l *lane) Pop() any {
	last := len(l.hosts) - 1
	e := l.hosts[last]
	l.hosts[last] = nil
	l.hosts = l.hosts[:last]
	e.place.lane = nil
	return e
}

// urgencyOf orders the hosts of one class: what ends first is first.
func (e *entry) urgencyOf() int64 {
	if e.held != nil {
		return e.held.notAfter.Unix()
	}
	return 0
}

// purchase is what an order of the host costs at an authority.
func (e *entry) purchase(ca *authority, now time.Time) purchase {
	p := purchase{account: ca.ID, name: e.Name, domain: e.domain, price: priceNew}
	switch {
	case e.paid.covers(ca.ID, now):
		p.price = pricePaid
	case e.held == nil || e.held.caID != ca.ID:
	case e.held.invited(now) && now.Sub(e.held.notBefore) < e.held.lifetime()/4:
		p.price = priceEarly
	case e.held.invited(now):
		p.price = priceInvited
	default:
		p.price = priceRenewal
	}
	return p
}
