package proxy

import (
	"math"
	"net/http"
	"net/netip"
	"time"

	"gatehouse/internal/clientip"
	"gatehouse/internal/http1"
	"gatehouse/tenancy"
)

// judgeOpen asks the table of snap again about every open connection and every
// request in progress whose tenant has changed, and cuts what it does not
// admit. The block list is asked for all, and so is whom a listener believes.
// The caller holds applying, and has stored snap before: whatever is judged by
// an older table meanwhile looks at the current one afterwards (see judge and
// settle).
func (s *Server) judgeOpen(snap *snapshot, changed func(tenantID string) bool, at time.Time) {
	now, cut := at.Unix(), 0
	s.registry.each(func(w *watch) {
		if w.conn.settled.Load() && s.judgeWatch(snap, w, now, changed(w.conn.peer.tenantID)) {
			cut++
		}
	})
	if cut > 0 {
		s.log.Info("cut what the table no longer admits", "generation", snap.table.Generation(), "connections", cut)
	}
}

// judgeWatch judges one connection or stream, and reports whether it or its
// request was cut. Unless the tenant has changed, only the block list and the
// listener's trust are asked.
func (s *Server) judgeWatch(snap *snapshot, w *watch, now int64, changed bool) (cut bool) {
	c := w.conn
	own := w == &c.watch
	if own && changed {
		s.followTenant(snap, c)
	}
	switch {
	case !c.peer.perRequest() && snap.table.Blocks(c.peer.client, now):
		w.cutAll(tenancy.Blocked)
		cut = true
	case !c.peer.believed(snap.table, now),
		!c.peer.perRequest() && own && changed && !c.admits(snap.table, now):
		w.cutAll(tenancy.IPNotAllowed)
		cut = true
	case changed, c.peer.perRequest():
		cut = w.judgeRequest(snap.table, now)
	}
	if t := snap.table.Tenant(c.peer.tenantID); cut && t != nil {
		snap.of(t).metrics.Revoked()
	}
	return cut
}

// followTenant lets a connection finish what it began when the host of its
// handshake has left the tenant, and takes that back when it has returned.
func (s *Server) followTenant(snap *snapshot, c *conn) {
	if c.peer.tenantID == "" {
		return
	}
	host := snap.table.Lookup(c.peer.sni)
	if host == nil || host.Tenant().ID() != c.peer.tenantID {
		c.drain(s.options.Drain)
		return
	}
	c.undrain()
}

// admits reports whether the connection may stay as far as the host of its
// handshake is asked. A client that was never admitted may: it gets a refusal
// for each request. One that was, and is not any more, may not.
func (c *conn) admits(t *tenancy.Table, now int64) bool {
	host := t.Lookup(c.peer.sni)
	if host == nil || host.Tenant().ID() != c.peer.tenantID {
		return true // it drains
	}
	is := host.Admits(c.peer.client, t.At(now))
	was := c.admitted.Swap(is)
	return is || !was
}

// judgeRequest judges the request in progress, if there is one, and cuts it if
// its client is not admitted to it any more. It holds mu all the time: end takes
// it too, and what the request was judged by lies in buffers that are used again
// after that.
func (w *watch) judgeRequest(t *tenancy.Table, now int64) (cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.active {
		return false
	}
	j := w.request
	if !j.findClient(&w.conn.peer, t, now) {
		return w.cutRequest(tenancy.IPNotAllowed)
	}
	q := j.question(&w.conn.peer, now)
	switch v := t.Request(&q, nil); {
	case v.Reason == tenancy.IPNotAllowed, v.Reason == tenancy.Blocked, v.Reason == tenancy.Suspended:
		return w.cutRequest(v.Reason)
	case v.Route != nil && !j.unknown && !j.users.admitted(v.Route.Guards()):
		return w.cutRequest(tenancy.AuthRequired)
	case v.Route != nil && !j.unasked && !j.vouchedBy(v.Route.AuthKeys()):
		return w.cutRequest(tenancy.AuthRequired)
	}
	return false
}

// whyCut is the reason of an exchange that was cut.
func (w *watch) whyCut() tenancy.Reason {
	if w.requestCut.Load() {
		return tenancy.Reason(w.cutFor.Load())
	}
	return tenancy.Reason(w.allCutFor.Load())
}

// refuseCut answers a request that was cut before its answer began.
func (s *Server) refuseCut(ex *exchange) {
	why, status := ex.watch.whyCut(), http.StatusForbidden
	switch why {
	case tenancy.Suspended:
		status, ex.retry = why.Status(), closedRetry
	case tenancy.Draining:
		status = why.Status()
	case tenancy.TotalTimeout:
		s.refuseOverdue(ex)
		return
	}
	s.refuse(ex, status, why)
}

// forwardedValues is how many X-Forwarded-For fields are looked at without
// allocating: proxies join them into one.
const forwardedValues = 4

// findClient reads the client's address from X-Forwarded-For, past the proxies
// that the listener believes by a table. Elsewhere the connection has told it.
func (j *judged) findClient(p *peer, t *tenancy.Table, now int64) bool {
	if !p.perRequest() {
		return true
	}
	var room [forwardedValues][]byte
	values := room[:0]
	for i := range j.fields {
		if isForwardedFor(j.fields[i].Name) {
			values = append(values, j.fields[i].Value)
		}
	}
	trust := p.rules(t).Trust
	client, err := clientip.FromForwarded(values, func(a netip.Addr) bool { return trust.Contains(a, now) })
	if err != nil {
		return false
	}
	j.client = client
	return true
}

func isForwardedFor(name []byte) bool { return http1.EqualFold(name, "x-forwarded-for") }

// question is what to ask a table about a request.
func (j *judged) question(p *peer, now int64) tenancy.Request {
	return tenancy.Request{
		Client:    j.client,
		Listener:  p.listener,
		Now:       now,
		SNI:       p.identity(),
		Method:    j.method,
		Authority: j.authority,
		Path:      j.path,
	}
}

// settle makes the identity of a connection known to reloads, once its
// handshake is complete, and judges it by the table that is in use now: the one
// that the handshake asked may have been replaced meanwhile. It reports whether
// the connection may go on.
func (s *Server) settle(c *conn) bool {
	if t := s.snapshot().table.Tenant(c.peer.tenantID); t != nil {
		c.tenant = s.metrics.Tenant(t.ID())
		c.tenant.Connection(+1)
	}
	c.settled.Store(true)
	for {
		snap := s.snapshot()
		s.judgeWatch(snap, &c.watch, time.Now().Unix(), true)
		if s.snapshot() == snap { // or what a reload has said would be taken back
			return !c.watch.cut()
		}
	}
}

// sweepUntil judges everything again once an entry of an access list has ended.
func (s *Server) sweepUntil() {
	if time.Now().Unix() < s.nextUntil.Load() {
		return
	}
	s.applying.Lock()
	defer s.applying.Unlock()
	snap := s.current.Load()
	if snap == nil {
		return
	}
	now := time.Now()
	s.judgeOpen(snap, func(string) bool { return true }, now)
	s.noteUntil(snap.table, now)
}

// noteUntil notes when an entry of an access list ends next.
func (s *Server) noteUntil(t *tenancy.Table, after time.Time) {
	next := int64(math.MaxInt64)
	if at, ok := t.NextUntil(after); ok {
		next = at.Unix()
	}
	s.nextUntil.Store(next)
}
