package proxy

import (
	"time"

	"gatehouse/internal/metrics"
	"gatehouse/tenancy"
)

// judge asks the table in use about a request whose method, authority, path and
// client are known, fills in verdict and run, and puts a request that may go on
// on the books, so that a change of the table can end it. It is called at most
// once for an exchange. The snapshot is not kept: a tunnel may outlive it by
// days.
func (s *Server) judge(ex *exchange) {
	on := judged{client: ex.client, method: ex.method, authority: ex.authority, path: ex.path}
	for {
		snap := s.snapshot()
		q := on.question(ex.peer, s.clock.seconds())
		ex.verdict = snap.table.Request(&q, nil)
		ex.run = snap.of(ex.verdict.Tenant)
		if ex.verdict.Action == tenancy.Forward {
			ex.watch.begin(on)
		} else {
			ex.watch.end()
		}
		// A reload stores its table first and then looks at what is on the
		// books: either it has seen this request, or its table is seen here.
		if s.snapshot() == snap {
			break
		}
	}
	if ex.run != nil {
		ex.run.metrics.Begin()
	}
}

// finish ends an exchange, judged or not, once its answer has gone out or is
// known not to: it goes off the books, into the counters and the access log. It
// is called exactly once.
func (s *Server) finish(ex *exchange) {
	now := time.Now()
	ex.watch.end()
	if ex.run != nil {
		ex.run.metrics.End()
	}
	s.count(ex, now)
	s.access.exchange(ex, now)
}

// count adds a finished exchange to the counters of the tenant that its
// authority names, else of the one that the handshake named. What belongs to
// nobody is counted at the listener if it was refused.
func (s *Server) count(ex *exchange, now time.Time) {
	tenant := s.countsOf(ex)
	tenant.Answered(ex.status, ex.bytesIn.Load(), ex.bytesOut)
	if !ex.websocket || ex.status != statusSwitching {
		tenant.Took(now.Sub(ex.started))
	}
	switch {
	case ex.reason == tenancy.NoReason:
	case tenant != nil:
		tenant.Refused(uint8(ex.reason))
	default:
		ex.peer.counts.Refused(uint8(ex.reason))
	}
}

// statusSwitching is the status of an upgraded connection, which lasts as long
// as its users like.
const statusSwitching = 101

func (s *Server) countsOf(ex *exchange) *metrics.Tenant {
	if ex.run != nil {
		return ex.run.metrics
	}
	snap := s.snapshot()
	if run := snap.of(snap.table.Tenant(ex.peer.tenantID)); run != nil {
		return run.metrics
	}
	return nil
}
