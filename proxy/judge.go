package proxy

import (
	"time"

	"gatehouse/internal/metrics"
	"gatehouse/tenancy"
)

// judge asks the table in use who the client of a request is, where its head
// says so, and what to do with it. It fills in client, verdict and run, and puts
// a request that may go on on the books, so that a change of the table can end
// it. It is called at most once for an exchange. The snapshot is not kept: a
// tunnel may outlive it by days.
func (s *Server) judge(ex *exchange) {
	on := judged{client: ex.client, method: ex.method, authority: ex.authority, path: ex.path}
	if ex.peer.perRequest() {
		on.fields = ex.fields
	}
	for {
		snap := s.snapshot()
		ex.verdict = on.verdict(ex.peer, snap.table, s.clock.seconds())
		ex.run, ex.table = snap.of(ex.verdict.Tenant), snap.table.Generation()
		if ex.verdict.Action == tenancy.Forward {
			on.unknown = len(ex.verdict.Route.Guards()) > 0
			on.unasked = len(ex.verdict.Route.AuthServices()) > 0
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
	ex.client = on.client
	if ex.verdict.Reason == tenancy.BadRequest && !on.findClient(ex.peer, s.snapshot().table, s.clock.seconds()) {
		ex.detail, ex.table = "X-Forwarded-For names no client", 0
	}
	if ex.run != nil {
		ex.run.metrics.Begin()
	}
}

// verdict is what a table says about the request.
func (j *judged) verdict(p *peer, t *tenancy.Table, now int64) tenancy.Verdict {
	if !j.findClient(p, t, now) {
		return tenancy.Verdict{Reason: tenancy.BadRequest, Status: tenancy.BadRequest.Status()}
	}
	q := j.question(p, now)
	return t.Request(&q, nil)
}

// finish ends an exchange, judged or not, once its answer has gone out or is
// known not to: it goes off the books, into the counters and the access log. It
// is called exactly once.
func (s *Server) finish(ex *exchange) {
	now := time.Now()
	ex.watch.end()
	ex.leave()
	if ex.run != nil {
		ex.run.metrics.End()
	}
	s.count(ex, now)
	s.access.exchange(ex, now)
	s.receipts.note(ex, now)
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
