package proxy

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"gatehouse/internal/limit"
)

// What work costs a processor, in turns of the fair queue. Measured on one of 2
// GHz; only the ratios matter.
const (
	helloCost     = 60 * time.Microsecond // accepting a connection and reading whom it wants
	handshakeCost = 300 * time.Microsecond
	requestCost   = 40 * time.Microsecond
	pieceCost     = 8 * time.Microsecond // of a body, whatever its length
	byteCost      = time.Nanosecond      // of each byte of it
)

const (
	// turnsWaitMax is how many turns may wait: handshakes of a second. Of more,
	// those of the tenant with the most for its weight are turned away.
	turnsWaitMax = 4096

	// quantum is what bodies may take of a processor before they wait for a
	// turn: 200 KiB or so, which makes the price of a turn, 3 µs, one in a
	// hundred. crowdedQuantum is the same while others wait.
	quantum        = 256 * time.Microsecond
	crowdedQuantum = 50 * time.Microsecond

	// lookEvery is how often it is looked whether processors are scarce, as long
	// as requests come; restAfter is when that ends.
	lookEvery = 5 * time.Millisecond
	restAfter = time.Second

	// requestsFew is how many requests between two looks are none worth looking.
	requestsFew = 4

	// roundLeast and roundMost bound what is given at a time, for each processor:
	// a handshake, and what may lie in front of a request that has just become
	// ready.
	roundLeast = handshakeCost
	roundMost  = 4 * time.Millisecond

	// crowdedAt is how long something that has become ready waits for a
	// processor when they are scarce, twice in a row. crowdedFor is how long
	// they are taken for scarce after somebody has waited.
	crowdedAt  = time.Millisecond
	crowdedFor = 100 * time.Millisecond
	// aloneAfter is how long a tenant is alone before its requests take no turns:
	// there is nobody to share with, and turns cost as much as a third of a request.
	aloneAfter = 2 * time.Second
)

// processors shares the computing time of the process out to tenants. What is
// ready to run, Go's scheduler runs in the order of its coming, whoever has how
// much of it, and it asks the network for more only when nothing is left or
// after 10 ms: one tenant's thousand uploads stand before another's request. So
// what computes for long waits here for a turn, a few are given at a time, and
// the next only once the network was asked. Handshakes always wait, bodies now
// and then, and as long as processors are scarce each request does.
type processors struct {
	fair    *limit.Fair   // of tenants
	hellos  *limit.Fair   // of networks, before it is known which tenant's a connection is
	width   time.Duration // the number of processors
	crowded atomic.Bool   // processors are scarce
	asked   atomic.Uint32
	// last is whose request came last while processors were scarce, others says that
	// one of another tenant came since the last look, mixed that one came lately.
	last          atomic.Pointer[running]
	others, mixed atomic.Bool
	resting       atomic.Bool // nobody looks whether they are
	stirred       chan struct{}

	// The following belong to run.
	looked time.Time     // when a look was last worth it
	late   int           // looks in a row that found processors scarce
	waited time.Time     // when somebody last waited behind those whose turn it was
	shared time.Time     // when requests of several tenants were last seen
	amount time.Duration // what is given at a time, for each processor
	ticker *time.Ticker
	// round returns when everybody has had a processor who was ready, those
	// included whom the network has made so.
	round func()
}

func newProcessors() *processors {
	return &processors{
		fair:    limit.NewFair(turnsWaitMax),
		hellos:  limit.NewFair(turnsWaitMax),
		width:   time.Duration(runtime.GOMAXPROCS(0)),
		amount:  roundLeast,
		stirred: make(chan struct{}, 1),
	}
}

// run gives turns until ctx ends. Without a bell, which takes a system that has
// no descriptor left, turns are given without a look at the network.
func (p *processors) run(ctx context.Context) {
	if p.round == nil {
		p.round = runtime.Gosched
		if b, err := newBell(); err == nil {
			p.round = b.ring
			defer b.close()
		}
	}
	p.ticker = time.NewTicker(lookEvery)
	defer p.ticker.Stop()
	p.looked = time.Now()
	for {
		if given := p.give(); given > 0 {
			p.turn(given)
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-p.fair.Asked():
		case <-p.hellos.Asked():
		case <-p.stirred:
			p.resting.Store(false)
			p.looked = time.Now()
			p.ticker.Reset(lookEvery)
		case <-p.ticker.C:
			p.look(time.Now())
		}
	}
}

// give gives turns worth an amount for each processor, to tenants and to those who
// are not known yet, and returns what they are worth.
func (p *processors) give() (given time.Duration) {
	return p.giveFrom(p.hellos) + p.giveFrom(p.fair)
}

func (p *processors) giveFrom(turns *limit.Fair) (given time.Duration) {
	for given < p.amount*p.width {
		cost, waited := turns.Next()
		if !waited {
			return given
		}
		given += cost
	}
	if turns.Waiting() > 0 {
		p.waited = time.Now()
		p.crowded.Store(true)
	}
	return given
}

// turn waits until those who were given a turn have had it, and others that were
// ready as well. Where others took far more than was given, there is work that
// takes no turns, and more is given next time: a fifth of the processor. Less than
// that may as well be turns that cost more than they are said to, and to give more
// of those would make each round longer than the one before.
func (p *processors) turn(given time.Duration) {
	began := time.Now()
	p.round()
	given /= p.width
	others := time.Since(began) - given
	p.amount = roundLeast
	if others > 3*given {
		p.amount = min(max(others/4, roundLeast), roundMost)
	}
}

// look finds out whether processors are scarce, unless hardly anything was asked
// for since the last look.
func (p *processors) look(now time.Time) {
	if p.crowded.Load() && now.Sub(p.waited) > crowdedFor {
		p.crowded.Store(false)
	}
	if p.others.Swap(false) {
		p.shared = now
	} else if now.Sub(p.shared) > aloneAfter {
		p.mixed.Store(false)
	}
	if p.asked.Swap(0) < requestsFew {
		if p.late = 0; now.Sub(p.looked) > restAfter && !p.crowded.Load() {
			p.ticker.Stop()
			p.resting.Store(true)
		}
		return
	}
	p.looked = now
	p.round()
	if time.Since(now) < crowdedAt {
		p.late = 0
		return
	}
	if p.late++; p.late > 1 {
		p.waited = time.Now()
		p.crowded.Store(true)
	}
}

// stir notes a request of a tenant, nil for nobody's, and reports whether it waits
// for its turn.
func (p *processors) stir(r *running) (waits bool) {
	p.asked.Add(1)
	// Not the first request alone: it may come before run rests, and nobody would
	// look any more.
	if p.resting.Load() {
		select {
		case p.stirred <- struct{}{}:
		default:
		}
	}
	if !p.crowded.Load() {
		return false
	}
	if p.last.Load() != r {
		p.last.Store(r)
		p.others.Store(true)
		p.mixed.Store(true)
	}
	return p.mixed.Load()
}
