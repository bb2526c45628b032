package proxy

import (
	"context"
	"runtime"
	"sync"
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
	// turnsWaitMost is how long the work may take, of each processor, that waits
	// for turns. Of more, that of the tenant with the most for its weight is turned
	// away.
	turnsWaitMost = time.Second

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
	roundMost  = 2 * time.Millisecond

	// crowdedAt is how long something that has become ready waits for a
	// processor when they are scarce, twice in a row; herdAt is the same for once,
	// where it still waits: a thousand clients may have asked at the same moment.
	// crowdedFor is how long they are taken for scarce after somebody has waited.
	crowdedAt  = time.Millisecond
	herdAt     = 2 * time.Millisecond
	crowdedFor = 100 * time.Millisecond
	// aloneAfter is how long a tenant is alone, at least, before its requests take no
	// turns: there is nobody to share with, and turns cost as much as a third of a
	// request.
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
	born    time.Time
	crowded atomic.Bool   // processors are scarce
	rung    atomic.Int64  // since when a round is waited for, counted from born; 0: none is
	asked   atomic.Uint32 // requests since the last look
	// mixed says that requests of several tenants have come since a mark, wasMixed
	// that they came between the two marks before it. last is whose came last before
	// mixed was set.
	mixed, wasMixed atomic.Bool
	last            atomic.Pointer[party]
	resting         atomic.Bool // nobody looks whether processors are scarce
	stirred         chan struct{}
	waits           sync.Pool // of *turnWait

	// The following belong to run.
	looked time.Time     // when a look was last worth it
	late   int           // looks in a row that found processors scarce
	waited time.Time     // when somebody last waited behind those whose turn it was
	marked time.Time     // when mixed was last marked
	amount time.Duration // what is given at a time, for each processor
	ticker *time.Ticker
	// round returns when everybody has had a processor who was ready, those
	// included whom the network has made so.
	round func()
}

func newProcessors() *processors {
	width := time.Duration(runtime.GOMAXPROCS(0))
	return &processors{
		fair:    limit.NewFair(turnsWaitMost * width),
		hellos:  limit.NewFair(turnsWaitMost * width),
		width:   width,
		born:    time.Now(),
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
	given /= p.width
	others := p.comeRound() - given
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
	if now.Sub(p.marked) > aloneAfter {
		p.wasMixed.Store(p.mixed.Swap(false))
		p.marked = now
	}
	if p.asked.Swap(0) < requestsFew {
		if p.late = 0; now.Sub(p.looked) > restAfter && !p.crowded.Load() {
			p.ticker.Stop()
			p.resting.Store(true)
		}
		return
	}
	p.looked = now
	if p.comeRound() < crowdedAt {
		p.late = 0
		return
	}
	if p.late++; p.late > 1 {
		p.waited = time.Now()
		p.crowded.Store(true)
	}
}

// comeRound waits for a round, and says how long it took.
func (p *processors) comeRound() time.Duration {
	began := time.Now()
	p.rung.Store(int64(began.Sub(p.born)))
	p.round()
	p.rung.Store(0)
	return time.Since(began)
}

// stir notes a request of a tenant, nil for nobody's, and reports whether it waits
// for its turn.
func (p *processors) stir(who *party) (waits bool) {
	p.asked.Add(1)
	// Not the first request alone wakes run: it may come before run rests, and nobody
	// would look any more.
	if p.resting.Load() {
		select {
		case p.stirred <- struct{}{}:
		default:
		}
	}
	if !p.mixed.Load() && p.last.Load() != who {
		p.last.Store(who)
		p.mixed.Store(true)
	}
	return p.shared()
}

// shared reports whether processors are scarce and several tenants want them.
func (p *processors) shared() bool {
	return p.scarce() && (p.mixed.Load() || p.wasMixed.Load())
}

// scarce reports whether processors are scarce, and finds out by itself that run
// is not heard from: it has no turn before those who are ready, either.
func (p *processors) scarce() bool {
	if p.crowded.Load() {
		return true
	}
	rung := p.rung.Load()
	if rung == 0 || time.Since(p.born)-time.Duration(rung) < herdAt {
		return false
	}
	p.crowded.Store(true)
	return true
}
