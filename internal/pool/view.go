package pool

import (
	"math/bits"
	"time"
)

// view is who may be picked, worked out in advance: to pick is to read it. It is
// immutable, and made anew when the condition of a backend changes.
type view struct {
	roster *roster
	due    time.Time    // when it has to be made anew; zero for never
	tiers  [tiers]*tier // nil where no backend is
	probes []uint8      // seats whose ejection has ended: one request tries each
	// anyProbes says that they have waited for a request that may be repeated
	// for long enough.
	anyProbes bool
}

// The tiers, in the order in which they are asked. Ejected backends come last
// and come all the same, unless the table says otherwise: that others fail more is
// no reason to answer nothing. So
// do names that lead nowhere: to dial one waits until it is looked up for the
// first time, or says why it leads nowhere.
const (
	primary = iota
	backup
	ejectedPrimary
	ejectedBackup
	tiers
)

// anyProbeAfter is how long an ejected backend waits for a request that may be
// repeated if it fails. Then it is tried with any.
const anyProbeAfter = 10 * time.Second

// tier is backends that are picked among by weight.
type tier struct {
	seats []uint8
	ends  []uint64 // running sums of the weights; nil if all weigh 1
	total uint64   // of the weights
	step  uint64   // coprime to total
	// first is where to look for a unit of weight in ends, by its bits above
	// shift.
	first   []uint8
	shift   uint8
	members set
}

// set is a set of seats. There are at most 256, which tenancy sees to.
type set [4]uint64

func (s *set) add(seat uint8)      { s[seat>>6] |= 1 << (seat & 63) }
func (s *set) has(seat uint8) bool { return s[seat>>6]&(1<<(seat&63)) != 0 }

// current returns the view of now.
func (p *Pool) current(now time.Time) *view {
	v := p.view.Load()
	if !v.due.IsZero() && !now.Before(v.due) {
		p.changed(now)
		v = p.view.Load()
	}
	return v
}

// changed makes another view.
func (p *Pool) changed(now time.Time) {
	p.making.Lock()
	defer p.making.Unlock()
	p.view.Store(newView(p, p.view.Load().roster, now))
}

func newView(p *Pool, r *roster, now time.Time) *view {
	v := &view{roster: r}
	for i, s := range r.seats {
		st, again := s.standing(now)
		switch st {
		case Up:
			share, more := p.plan.Rules.SlowStart.ramp(s.risen(), now)
			v.add(primary+s.tier(), uint8(i), share*s.weight)
			v.dueAt(more)
		case Unresolved:
			if !p.plan.Rules.Optional {
				v.add(ejectedPrimary+s.tier(), uint8(i), s.weight)
			}
		case Ejected:
			if !p.plan.Rules.spareless() {
				v.add(ejectedPrimary+s.tier(), uint8(i), s.weight)
			}
			v.probe(uint8(i), again, now)
			continue
		}
		v.dueAt(again)
	}
	for _, t := range v.tiers {
		if t != nil {
			t.seal()
		}
	}
	return v
}

// risen returns since when the seat, which is up, gets requests.
func (s seat) risen() time.Time {
	since, _ := s.condition.story(Up)
	if d := s.drained.Load(); d != nil && d.Until.After(since) {
		return d.Until
	}
	return since
}

func (v *view) add(at int, seat uint8, weight uint64) {
	if v.tiers[at] == nil {
		v.tiers[at] = new(tier)
	}
	v.tiers[at].add(seat, weight)
}

// tier returns 1 for a backup, otherwise 0.
func (s seat) tier() int {
	if s.declared.backup {
		return backup - primary
	}
	return 0
}

// dueAt has the view made anew at t; zero is never.
func (v *view) dueAt(t time.Time) {
	if !t.IsZero() && (v.due.IsZero() || t.Before(v.due)) {
		v.due = t
	}
}

// probe has an ejected seat tried once its time is over.
func (v *view) probe(seat uint8, until, now time.Time) {
	if now.Before(until) {
		v.dueAt(until)
		return
	}
	v.probes = append(v.probes, seat)
	if last := until.Add(anyProbeAfter); now.Before(last) {
		v.dueAt(last)
	} else {
		v.anyProbes = true
	}
}

func (t *tier) add(seat uint8, weight uint64) {
	t.seats = append(t.seats, seat)
	t.total += weight
	t.ends = append(t.ends, t.total)
	t.members.add(seat)
}

// seal works out the step. Turn after turn, turn*step mod total meets each unit
// of weight once in total turns, and units of one backend far apart from each
// other: that is a fair rotation without a table.
func (t *tier) seal() {
	divisor := uint64(0)
	for i := range t.ends {
		divisor = gcd(t.weight(i), divisor)
	}
	for i := range t.ends {
		t.ends[i] /= divisor
	}
	t.total /= divisor
	if t.total == uint64(len(t.seats)) {
		t.ends, t.step = nil, 1
		return
	}
	// The golden section is what keeps multiples the farthest apart.
	for t.step = max(1, t.total*618/1000); gcd(t.step, t.total) != 1; t.step++ {
	}
	t.index()
}

// index makes first, with one to two places for each backend.
func (t *tier) index() {
	for t.total>>t.shift > 2*uint64(len(t.ends)) {
		t.shift++
	}
	i := 0
	for x := uint64(0); x < t.total; x += 1 << t.shift {
		for t.ends[i] <= x {
			i++
		}
		t.first = append(t.first, uint8(i))
	}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// weight returns what the i-th backend of the tier weighs.
func (t *tier) weight(i int) uint64 {
	switch {
	case t.ends == nil:
		return 1
	case i == 0:
		return t.ends[0]
	}
	return t.ends[i] - t.ends[i-1]
}

// at returns which backend of the tier has the unit of weight x, below total.
func (t *tier) at(x uint64) int {
	if t.ends == nil {
		return int(x)
	}
	i := int(t.first[x>>t.shift])
	for t.ends[i] <= x {
		i++
	}
	return i
}

// start returns the first unit of weight of the i-th backend.
func (t *tier) start(i int) uint64 {
	if t.ends == nil {
		return uint64(i)
	}
	return t.ends[i] - t.weight(i)
}

// walk returns the first seat from the i-th backend on that is not in tried; -1
// when all are.
func (t *tier) walk(i int, tried *set) int {
	for range t.seats {
		if seat := t.seats[i]; !tried.has(seat) {
			return int(seat)
		}
		if i++; i == len(t.seats) {
			i = 0
		}
	}
	return -1
}

// scale returns the number below n that is at x of 2^32.
func scale(x uint32, n uint64) uint64 {
	high, low := bits.Mul64(uint64(x), n)
	return high<<32 | low>>32
}
