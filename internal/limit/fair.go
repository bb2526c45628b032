package limit

import (
	"container/heap"
	"sync"
	"time"
)

// Fair is a queue in which parties wait for turns of something that is scarce,
// and get them by weight. Somebody calls Next whenever there is some of it.
//
// It is start-time fair queuing (Goyal, Vin and Cheng, 1997). Each turn begins in
// virtual time when its party's former one ended, or now, and lasts as long as it
// costs, divided by the weight; the earliest to begin is next. So parties that
// want more than their share get it in the ratio of their weights, whatever their
// turns cost, and one that has asked for less is next at once: with deficit round
// robin it would wait for a turn of each of the others. When more wait than can be
// worth waiting for, the last of the party with the most for its weight is turned
// away, whoever came last.
type Fair struct {
	mu      sync.Mutex
	most    time.Duration // what the turns may cost that wait
	cost    time.Duration // what they do
	waiting int           // turns that do
	now     int64         // virtual time: when the turn began that was given last
	parties map[string]*party
	pruneAt int   // the number of parties at which those are forgotten that are owed nothing
	order   queue // parties that wait, the one whose turn is next first
	asked   chan struct{}
}

// partiesFew is how many parties are remembered before it is worth looking for
// some to forget.
const partiesFew = 256

// party is one of those that share.
type party struct {
	name   string
	weight int64
	end    int64 // of its last turn, in virtual time
	room   []*Turn
	gone   int           // of room, at its beginning
	cost   time.Duration // of the turns
	place  int           // in the order
}

// turns are those that wait, the next one first.
func (p *party) turns() []*Turn { return p.room[p.gone:] }

// push puts a turn behind the others. The room of those that have gone is used
// again once it is half of all.
func (p *party) push(t *Turn) {
	if len(p.room) == cap(p.room) && p.gone >= (len(p.room)+1)/2 {
		waiting := copy(p.room, p.turns())
		clear(p.room[waiting:])
		p.room, p.gone = p.room[:waiting], 0
	}
	p.room = append(p.room, t)
	p.cost += t.cost
}

// pull takes one out: the first one has come, or the last one is turned away, as a
// rule, and nothing is to be moved.
func (p *party) pull(i int) {
	turns := p.turns()
	p.cost -= turns[i].cost
	if last := len(turns) - 1; i > last/2 {
		copy(turns[i:], turns[i+1:])
		turns[last] = nil
		p.room = p.room[:len(p.room)-1]
	} else {
		copy(turns[1:], turns[:i])
		turns[0] = nil
		p.gone++
	}
	if p.gone == len(p.room) {
		p.room, p.gone = p.room[:0], 0
	}
}

// Turn is a place in the queue. A zero Turn may be used for one place after the
// other.
type Turn struct {
	fair  *Fair
	owner *party
	begin int64
	cost  time.Duration
	given chan bool // holds the outcome: a turn, or turned away
}

// NewFair returns a queue in which turns wait that cost at most so much: how long
// somebody may wait who has just come.
func NewFair(most time.Duration) *Fair {
	return &Fair{most: most, parties: make(map[string]*party), pruneAt: partiesFew, asked: make(chan struct{}, 1)}
}

// Asked receives something when a turn begins to wait.
func (f *Fair) Asked() <-chan struct{} { return f.asked }

// Enter puts t into the queue, for a turn of a party that takes cost. A weight is
// at least 1.
func (f *Fair) Enter(t *Turn, name string, weight int, cost time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.party(name)
	p.weight = int64(weight)
	begin := max(f.now, p.end)
	p.end = begin + int64(cost)/p.weight
	t.fair, t.owner, t.begin, t.cost = f, p, begin, cost
	if t.given == nil {
		t.given = make(chan bool, 1)
	}
	p.push(t)
	if len(p.turns()) == 1 {
		heap.Push(&f.order, p)
	}
	f.waiting++
	if f.cost += cost; f.cost > f.most {
		f.shed()
	}
	select {
	case f.asked <- struct{}{}:
	default:
	}
}

// party returns who has a name, and forgets others now and then.
func (f *Fair) party(name string) *party {
	p := f.parties[name]
	if p != nil {
		return p
	}
	if len(f.parties) >= f.pruneAt {
		for name, p := range f.parties {
			if len(p.turns()) == 0 && p.end <= f.now {
				delete(f.parties, name)
			}
		}
		f.pruneAt = max(partiesFew, 2*len(f.parties))
	}
	p = &party{name: name}
	f.parties[name] = p
	return p
}

// Next gives the next turn and returns what it costs; false when none waits.
func (f *Fair) Next() (cost time.Duration, given bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.order) == 0 {
		return 0, false
	}
	p := f.order[0]
	t := p.turns()[0]
	f.now, cost = t.begin, t.cost
	f.remove(p, 0)
	t.given <- true
	return cost, true
}

// shed turns away the last turn of the party that has the most for its weight.
func (f *Fair) shed() {
	longest := f.order[0]
	for _, p := range f.order {
		if int64(p.cost)*longest.weight > int64(longest.cost)*p.weight {
			longest = p
		}
	}
	last := len(longest.turns()) - 1
	t := longest.turns()[last]
	f.spare(longest, last)
	t.given <- false
}

// spare takes a turn that nobody has had out of the queue of its party. It costs
// nothing: those behind it begin as much earlier. Else a party whose clients give
// up in an overload would owe, long after, for turns that it never had.
func (f *Fair) spare(p *party, i int) {
	ends, behind := p.end, p.turns()[i+1:]
	if len(behind) > 0 {
		ends = behind[0].begin
	}
	spared := ends - p.turns()[i].begin
	for _, t := range behind {
		t.begin -= spared
	}
	p.end -= spared
	f.remove(p, i)
}

// remove takes a turn out of the queue of its party.
func (f *Fair) remove(p *party, i int) {
	f.waiting--
	f.cost -= p.turns()[i].cost
	p.pull(i)
	if len(p.turns()) == 0 {
		heap.Remove(&f.order, p.place)
	} else {
		heap.Fix(&f.order, p.place)
	}
}

// Given receives true when the turn has come, false when it was turned away.
func (t *Turn) Given() <-chan bool { return t.given }

// Withdraw gives the turn up, and reports whether it has come meanwhile. It is
// not called after something was received from Given.
func (t *Turn) Withdraw() (come bool) {
	f := t.fair
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, other := range t.owner.turns() {
		if other == t {
			f.spare(t.owner, i)
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
func (q queue) Less(i, j int) bool { return q[i].turns()[0].begin < q[j].turns()[0].begin }
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
