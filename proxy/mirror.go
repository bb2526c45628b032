package proxy

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/metrics"
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

const (
	// mirrorCopiesMax is how many copies of one mirror may be under way: with a
	// buffer of 64 KiB each, 4 MiB. Where the mirror is slower than the original,
	// it gets fewer.
	mirrorCopiesMax = 64
	// copiesMax is the same of all tenants together, 16 MiB.
	copiesMax = 256
	// mirrorTimeMax is how long a copy may take from its dial to the end of its
	// answer.
	mirrorTimeMax = 30 * time.Second
)

// copyPrice is what the tenant pays for a copy.
var copyPrice = amounts{memory: copyRoom, goroutines: 1}

// mirror is the running half of a tenancy.Mirror. Routes of a tenant whose
// mirrors mean the same share one.
type mirror struct {
	rules   *tenancy.Mirror
	pool    *pool.Pool
	busy    *atomic.Int64
	server  *Server
	metrics *metrics.Tenant
}

// copies are the copies of requests that are under way, of all tenants.
type copies struct {
	open tally
	busy atomic.Int64
	ctx  context.Context // ends with the server
	stop context.CancelFunc
}

func (c *copies) init() { c.ctx, c.stop = context.WithCancel(context.Background()) }

// end cuts the copies that are under way and waits for that. No request is in
// progress any more.
func (c *copies) end() {
	c.stop()
	<-c.open.none()
}

// mirrors fills in the mirrors of the routes.
func (b *poolBuilder) mirrors(routes []*tenancy.Route) {
	r := b.into
	for _, route := range routes {
		rules := route.Mirror()
		if rules == nil {
			continue
		}
		if r.mirrors == nil {
			r.mirrors = make([]*mirror, len(routes))
		}
		m := r.mirrorWith(rules.Key())
		if m == nil {
			m = &mirror{rules: rules, pool: b.pool(route, rules.Plan()), busy: new(atomic.Int64), server: b.server, metrics: r.metrics}
			if former := b.former.mirrorWith(rules.Key()); former != nil {
				m.busy = former.busy
			}
		}
		r.mirrors[route.Index()] = m
	}
}

// mirrorWith returns the mirror of a key, nil for none.
func (r *running) mirrorWith(key string) *mirror {
	if r == nil {
		return nil
	}
	for _, m := range r.mirrors {
		if m != nil && m.rules.Key() == key {
			return m
		}
	}
	return nil
}

// mirror sends a copy of the request where its route has a mirror and the
// request is one of those that are copied. It waits for nobody.
func (t *trip) mirror() {
	ex := t.ex
	if ex.run.mirrors == nil {
		return
	}
	m := ex.run.mirrors[ex.verdict.Route.Index()]
	if m == nil || !t.buffered || ex.websocket || !m.rules.Copies(ex.method) || rand.IntN(100) >= m.rules.Percent {
		return
	}
	c := m.copyOf(t)
	if c == nil {
		m.metrics.Mirrored(metrics.MirrorDropped)
		return
	}
	ex.mirrored = true
	m.server.copies.open.add()
	go c.run()
}

// enter takes a place for a copy. It reports false where there is none.
func (m *mirror) enter() bool {
	all := &m.server.copies.busy
	if m.busy.Add(1) > mirrorCopiesMax {
		m.busy.Add(-1)
		return false
	}
	if all.Add(1) > copiesMax {
		all.Add(-1)
		m.busy.Add(-1)
		return false
	}
	return true
}

func (m *mirror) leave() {
	m.server.copies.busy.Add(-1)
	m.busy.Add(-1)
}

// mirrorMark tells the mirror's backends that nobody waits for the answer.
const mirrorMark = "X-Mirrored"

// copyOf makes the copy of a request whose body, if there is one, is held; nil
// where there is no place for it, nobody to send it to, or not enough room.
func (m *mirror) copyOf(t *trip) *requestCopy {
	ex := t.ex
	if !m.enter() {
		return nil
	}
	if !m.server.means.takeAll(ex.party, copyPrice) {
		m.leave()
		return nil
	}
	c := &requestCopy{mirror: m, party: ex.party, times: t.times, limits: ex.limits.Answer, idempotent: idempotent(ex.method)}
	c.method = string(ex.method)
	c.round = m.pool.Round(ex.placement(m.pool.Plan().Rules.Balance), c.idempotent)
	c.member = c.round.Next(time.Now())
	if c.member == nil {
		c.drop()
		return nil
	}
	c.buffer = m.server.buffers.takeCopy()
	b := ex.appendRequest(c.buffer[:0], c.member.Backend())
	b = http1.AppendFieldString(b[:len(b)-len(crlf)], mirrorMark, "1")
	b = append(http1.AppendFieldsEnd(b), t.held...)
	if len(b) > len(c.buffer) {
		c.drop()
		return nil
	}
	c.request = b
	return c
}
