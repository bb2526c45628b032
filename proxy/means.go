package proxy

import (
	"log/slog"
	"sync/atomic"
	"time"

	"gatehouse/internal/limit"
	"gatehouse/internal/metrics"
)

const (
	// memoryBuiltin is the memory that is shared out where nobody says how much
	// there is.
	memoryBuiltin = 4 << 30
	// memoryLeast lets a few hundred requests be in progress.
	memoryLeast = 16 << 20
	// goroutinesMax is four for each connection that there may be. Beyond it
	// whatever looks at all of them, the garbage collector first of all, is felt
	// by every request.
	goroutinesMax = 524_288
	// backendConnsMax is one for each goroutine that could use it; what is open
	// beyond the requests in progress is idle, and closed in a minute.
	backendConnsMax = 524_288
)

// What things cost of memory, as measured: docs/performance.md has the figures.
const (
	// restPrice is a connection of HTTP/1.1 at rest.
	restPrice = 20 << 10
	// connPrice is a connection between accept and the end of its handshake, and
	// one of HTTP/2.
	connPrice = 32 << 10
	// exchangePrice is a request in progress: 48 KiB of buffers, and the stacks of
	// two goroutines.
	exchangePrice = 64 << 10
	// uploadPrice is a body that is passed on while it comes: a buffer, and what
	// TLS holds of the records on either side.
	uploadPrice = copyRoom + 32<<10
	// tunnelPrice is what is left of an exchange that has become a tunnel.
	tunnelPrice = 16 << 10
)

// kind is one of the means.
type kind uint8

const (
	memory       kind = iota // bytes
	goroutines               // of connections, streams and bodies
	connections              // of clients
	backendConns             // connections to backends
	kinds
)

func (k kind) String() string { return metrics.MeansNames[k] }

// amounts is so much of each of the means.
type amounts [kinds]int

// means are what all tenants share and hold for long, so that nobody can be made
// to give it back. Who holds the most for its weight is the first to get no
// more; see [limit.Share].
type means struct {
	shares [kinds]*limit.Share
	// strangers are connections whose handshake has not named a tenant yet, plain
	// those of plain HTTP, which never do.
	strangers, plain party
	log              *slog.Logger
	clock            *clock
}

// party is what one tenant holds of the means. A successor of the tenant goes on
// with it.
type party struct {
	name   string
	weight atomic.Int64
	held   [kinds]limit.Holder
	// encoders are those that it has among all; see encoding.
	encoders limit.Holder
	counts   *metrics.Tenant // of its refusals; may be nil
	quiet    [kinds]atomic.Int64
}

// shedQuiet is how long a party that is refused more is not logged again.
const shedQuiet = time.Minute

func newMeans(o Options, c *clock) *means {
	m := &means{log: o.Log, clock: c}
	all := amounts{memory: memoryBuiltin, connections: connectionsMax, backendConns: backendConnsMax}
	if o.Memory > 0 {
		all[memory] = max(int(o.Memory), memoryLeast)
	}
	if o.Connections > 0 {
		all[connections] = min(o.Connections, connectionsMax)
	}
	if o.BackendConnections > 0 {
		all[backendConns] = min(o.BackendConnections, backendConnsMax)
	}
	all[goroutines] = goroutinesMax
	for k := range kinds {
		m.shares[k] = limit.NewShare(all[k])
	}
	m.strangers.name, m.plain.name = "connections before the end of their handshake", "connections of plain HTTP"
	m.strangers.weight.Store(1)
	m.plain.weight.Store(1)
	return m
}

// party returns what a tenant holds: what it held before, if it was there.
func (m *means) party(tenant string, weight int, former *running, counts *metrics.Tenant) *party {
	p := &party{name: "tenant " + tenant, counts: counts}
	if former != nil {
		p = former.party
	}
	p.weight.Store(int64(weight))
	return p
}

// take takes n for p, and reports false where it has its part already.
func (m *means) take(p *party, k kind, n int) bool {
	if m.shares[k].Take(&p.held[k], n, int(p.weight.Load())) {
		return true
	}
	m.shed(p, k)
	return false
}

func (m *means) give(p *party, k kind, n int) { m.shares[k].Give(&p.held[k], n) }

// takeAll takes all of it or nothing.
func (m *means) takeAll(p *party, a amounts) bool {
	for k := range kinds {
		if !m.take(p, k, a[k]) {
			for had := range k {
				m.give(p, had, a[had])
			}
			return false
		}
	}
	return true
}

// moveAll makes all of it another party's. Where that has its part already, all
// of it is given back, and false.
func (m *means) moveAll(from, to *party, a amounts) bool {
	for k := range kinds {
		if m.shares[k].Move(&from.held[k], &to.held[k], a[k], int(to.weight.Load())) {
			continue
		}
		m.shed(to, k)
		for had := range k {
			m.give(to, had, a[had])
		}
		for rest := k; rest < kinds; rest++ {
			m.give(from, rest, a[rest])
		}
		return false
	}
	return true
}

func (m *means) giveAll(p *party, a amounts) {
	for k := range kinds {
		m.give(p, k, a[k])
	}
}

// shed counts that p gets no more, and logs it once in a while.
func (m *means) shed(p *party, k kind) {
	p.counts.Shed(metrics.Means(k))
	now, until := m.clock.now(), p.quiet[k].Load()
	if now < until || !p.quiet[k].CompareAndSwap(until, now+int64(shedQuiet)) {
		return
	}
	taken, of := m.shares[k].Taken()
	m.log.Warn("what all tenants share runs short; who has the most for its weight gets no more",
		"who", p.name, "means", k.String(), "held", p.held[k].Held(), "taken", taken, "of", of)
}

// taken returns how much is taken.
func (m *means) taken(k kind) int {
	n, _ := m.shares[k].Taken()
	return n
}

// room returns how many connections more can begin.
func (m *means) room(plain bool) int {
	p := m.beginners(plain)
	room := connectionsMax
	for _, k := range []kind{connections, memory} {
		room = min(room, (m.shares[k].Part(&p.held[k], 1)-p.held[k].Held())/freshConn[k])
	}
	return room
}

// beginners returns whose connections are before anybody knows a tenant of theirs.
func (m *means) beginners(plain bool) *party {
	if plain {
		return &m.plain
	}
	return &m.strangers
}
