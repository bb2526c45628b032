package limit

import (
	"container/heap"
	"sync"
	"time"
)

// cost is what one turn takes of a party with weight 1, in units of virtual time.
const cost = 1 << 20

// Fair shares a few slots between parties by weight while there are fewer slots
// than are wanted. Otherwise it is a look at a number.
//
// It is start-time fair queuing (Goyal, Vin and Cheng, 1997) with turns of equal
// cost. Each turn begins in virtual time when its party's former one ended, or
// now; the earliest is next. So parties that want more than their share get turns
// in the ratio of their weights, and one that has asked for less is next at once:
// with deficit round robin it would wait for a turn of each of the others. When
// too many wait, the last of the party with the longest queue for its weight is
// turned away, whoever came last.
type Fair struct {
	mu      sync.Mutex
	free    int
	slots   int
	most    int   // turns that may wait
	waiting int   // turns that do
	now     int64 // virtual time: when the turn began that was given last
	parties map[string]*party
	order   queue // parties that wait, the one whose turn is next first
}

// party is one of those that share.
type party struct {
	name   string
	weight int64
	end    int64 // of its last turn, in virtual time
	turns  []*Turn
	place  int // in the order
}

// Turn is a place in a queue for a slot.
type Turn struct {
	fair  *Fair
	owner *party
	begin int64
	given chan bool // holds the outcome: a slot, or turned away
}

// NewFair returns so many free slots. At most waiting turns wait for them.
func NewFair(slots, waiting int) *Fair {
	return &Fair{free: slots, slots: slots, most: waiting, parties: make(map[string]*party)}
}

// Enter gives a slot to a party (nil), or a turn to wait for one. A weight is at
// least 1. Whoever has got a slot calls Leave.
func (f *Fair) Enter(name string, weight int) *Turn {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.parties[name]
	if p == nil {
		p = &party{name: name}
		f.parties[name] = p
	}
	p.weight = int64(weight)
	begin := max(f.now, p.end)
	p.end = begin + cost/p.weight
	if f.free > 0 {
		f.free--
		f.now = begin
		return nil
	}
	t := &Turn{fair: f, owner: p, begin: begin, given: make(chan bool, 1)}
	p.turns = append(p.turns, t)
	if len(p.turns) == 1 {
		heap.Push(&f.order, p)
	}
	if f.waiting++; f.waiting > f.most {
		f.shed()
	}
	return t
}

// Leave gives a slot to the next, or keeps it free.
func (f *Fair) Leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.order) == 0 {
		if f.free++; f.free == f.slots {
			// Nobody is owed anything any more.
			clear(f.parties)
			f.now = 0
		}
		return
	}
	p := f.order[0]
	t := p.turns[0]
	f.now = t.begin
	f.remove(p, 0)
	t.given <- true
}

// shed turns away the last turn of the party that has the most for its weight.
func (f *Fair) shed() {
	longest := f.order[0]
	for _, p := range f.order {
		if int64(len(p.turns))*longest.weight > int64(len(longest.turns))*p.weight {
			longest = p
		}
	}
	last := len(longest.turns) - 1
	t := longest.turns[last]
	longest.end = t.begin
	f.remove(longest, last)
	t.given <- false
}

// remove takes a turn out of the queue of its party.
func (f *Fair) remove(p *party, i int) {
	copy(p.turns[i:], p.turns[i+1:])
	p.turns[len(p.turns)-1] = nil
	p.turns = p.turns[:len(p.turns)-1]
	f.waiting--
	if len(p.turns) == 0 {
		heap.Remove(&f.order, p.place)
	} else {
		heap.Fix(&f.order, p.place)
	}
}

// Wait waits for the turn, for d at most, and reports whether there is a slot.
func (t *Turn) Wait(d time.Duration) (slot bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case slot = <-t.given:
		return slot
	case <-timer.C:
	}
	return t.withdraw()
}

// withdraw gives the turn up, unless it has come meanwhile.
func (t *Turn) withdraw() (slot bool) {
	f := t.fair
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, other := range t.owner.turns {
		if other == t {
			f.remove(t.owner, i)
			return false
		}
	}
	return <-t.given
}

// Waiting returns how many turns wait.
func (f *Fair) Waiting() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.waiting
}

// queue orders parties by the beginning of their next turns.
type queue []*party

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].turns[0].begin < q[j].turns[0].begin }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	p := x.(*party)
	p.place = len(*q)
	*q = append(*q, p)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return p
}
