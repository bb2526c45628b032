package proxy

import (
	"net/http"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// attemptsTime is the time for all attempts together, in units of the connect
// timeout; none begins after it.
const attemptsTime = 2

// trip is the way of one request to a backend and of its answer back.
type trip struct {
	ex    *exchange
	times tenancy.Timeouts
	until time.Time // no attempt begins after this
	why   tenancy.Reason
	round pool.Round

	places placesBrought // that the client has brought

	canary    *canary // whose request it is; nil for none
	blameless bool    // the last attempt failed for no fault of the backend

	held     []byte      // the body, when it was read before a backend was taken
	heldIn   *copyBuffer // what held lies in, if it is of that size
	buffered bool        // the body is held, or there is none

	conn      *pool.Conn // the backend connection in use
	in        []byte     // bytes from it: room, of which in[r:w] is not dealt with
	inCopy    *copyBuffer
	r, w      int
	fresh     bool  // it was opened for this request
	spoke     bool  // a byte of an answer has come
	replaced  bool  // an idle connection died and gave way to a fresh one
	movable   bool  // another backend can be asked after this one
	lostSight bool  // the one that was asked is gone, with whatever leads to it
	arrived   bool  // a backend may have had something of the request
	sent      int64 // bytes written to it before this request
	sendErr   error // of writing the request
	up        *upload
	interims  int
	told100   bool // the client has been told to send its body

	toll         toll // of the answer's body
	trailersPass bool // those behind the answer's body
	coded        coded
}

// outcome is how an attempt ended.
type outcome uint8

const (
	answered outcome = iota // the final head has come; it is in the workspace
	repeat                  // the connection died, and the request may be sent again
	settled                 // the exchange is over: refused, failed, aborted
	upgraded                // a valid 101 has come
)

// run sends the request and relays the answer.
func (t *trip) run(ex *exchange) {
	t.ex, t.times = ex, ex.verdict.Route.Timeouts()
	ex.idle, ex.limits = t.times.Idle, ex.verdict.Route.Limits()
	ex.watch.pace.hold(&ex.limits.MinRate)
	t.in = ex.work.in[:]
	t.why = tenancy.NoHealthyBackend
	defer t.drop()
	if !t.takeBody() || !t.holdBody() {
		return
	}
	began := ex.started.Add(ex.queued + ex.asked)
	if len(t.held) > 0 {
		began = time.Now() // the client has taken its time
	}
	ex.tries.at = began
	t.until = ex.notAfter(began.Add(attemptsTime * t.times.Connect))
	t.mirror()
	p := t.choose()
	t.begin(p, began)
	ex.run.retries.budget.Done(ex.s.clock.at(began))
	most := t.attempts()
	for n, now := 0, began; n < most && (n == 0 || now.Before(t.until)); n, now = n+1, time.Now() {
		member := t.next(n, now)
		if member == nil || n > 0 && !t.again(now) {
			break
		}
		t.movable = n+1 < most && t.repeatable() && (t.canary != nil || t.round.More())
		o := t.try(member)
		if t.canary != nil {
			t.faredBy(o)
		}
		if o != repeat {
			return
		}
	}
	if ex.overdue() {
		ex.s.refuseOverdue(ex)
		return
	}
	t.refuseUntaken()
}

// drop gives back what the trip holds.
func (t *trip) drop() {
	if t.ex == nil {
		return
	}
	t.stopUpload()
	t.release(false)
	t.leaveRound()
	t.dropEncoder()
	b := &t.ex.s.buffers
	b.giveCopy(t.heldIn)
	b.giveCopy(t.inCopy)
	t.heldIn, t.inCopy, t.held, t.in = nil, nil, nil, nil
}

// try offers the request to one backend: on an idle connection first, on a
// fresh one when there is none or when it has died before it said a byte. That
// is no second attempt, because backends close idle connections whenever they
// like; but it is done once for a request, so that it arrives four times at most.
func (t *trip) try(m *pool.Member) outcome {
	t.ex.backend = m.Backend().Address()
	t.ex.address, _ = m.Address()
	t.fresh, t.lostSight = false, false
	if c := t.reuse(m); c != nil {
		t.ex.attempts++
		if o := t.ask(c); o != repeat {
			return t.follow(o)
		}
		if t.lostSight {
			return repeat
		}
		t.replaced = true
		t.ex.run.metrics.Retry()
	}
	c := t.dial(m)
	if c == nil {
		if t.ex.s.endedEarly(t.ex) {
			return settled
		}
		return repeat
	}
	t.fresh = true
	return t.follow(t.ask(c))
}

// reuse returns an idle connection, unless one has died under this request.
func (t *trip) reuse(m *pool.Member) *pool.Conn {
	if t.replaced {
		return nil
	}
	return m.Reuse()
}

// follow relays what an attempt has brought.
func (t *trip) follow(o outcome) outcome {
	switch o {
	case answered:
		t.ex.tried(tryAnswered, 0, t.ex.started.Add(t.ex.firstByte))
		t.reached(t.ex.work.answer.Status)
		t.relay()
	case upgraded:
		t.ex.tried(tryAnswered, 0, t.ex.started.Add(t.ex.firstByte))
		t.reached(http.StatusSwitchingProtocols)
		t.tunnel()
	}
	return o
}

// dial opens a connection within what is left of the time for all attempts.
func (t *trip) dial(m *pool.Member) *pool.Conn {
	began := time.Now()
	limit := min(t.times.Connect, t.until.Sub(began))
	if limit <= 0 {
		return nil
	}
	t.ex.attempts++
	c, err := t.open(m, limit)
	t.ex.connected += time.Since(began)
	if err != nil && t.ex.watch.deserted() {
		t.ex.tried(tryLeft, 0, time.Now())
		return nil
	}
	t.ex.run.metrics.BackendConnect(err == nil)
	if err != nil {
		t.why = dialReason(err)
		end, number := dialEnd(err)
		t.ex.tried(end, number, time.Now())
		t.unreached(err, limit)
		if m.Tell(began) {
			t.ex.s.log.Warn("a backend was not reached", "ref", string(t.ex.ref[:]), "error", err)
		}
		return nil
	}
	return c
}

// ask sends the request on c and waits for the final head of the answer.
func (t *trip) ask(c *pool.Conn) outcome {
	t.conn, t.r, t.w, t.spoke, t.sendErr, t.up = c, 0, 0, false, nil, nil
	w := t.ex.watch
	w.attach(c, t.times.FirstByte)
	w.waiting(true)
	t.sent = c.Written()
	t.send()
	if t.sendErr == nil && !t.buffered && !t.ex.expects {
		t.startUpload()
	}
	if t.movable && t.up == nil {
		w.heardBy(t.times.Connect)
	}
	// Also after an error of writing there may be an answer: a backend that
	// refuses a body says so and stops reading.
	o, err := t.await()
	if err == nil {
		return o
	}
	return t.lost(err)
}

// send writes head and held body, in one piece when they fit. A body that the
// kernel may not take at once is left to an upload: a backend that refuses it
// and stops reading is heard.
func (t *trip) send() {
	head := t.ex.appendRequest(t.ex.work.out[:0], t.conn.Backend())
	rest := t.held
	if len(head)+len(rest) <= cap(head) {
		head, rest = append(head, rest...), nil
	}
	_, t.sendErr = t.conn.Write(head)
	switch {
	case t.sendErr != nil:
	case len(rest) > atOnceRoom:
		t.startHeldUpload(rest)
	case len(rest) > 0:
		_, t.sendErr = t.conn.Write(rest)
	}
}

// lost decides what an attempt without an answer means.
func (t *trip) lost(err error) outcome {
	ex := t.ex
	late := ex.watch.backendExpired()
	t.stopUpload()
	unsent := t.conn.Written() == t.sent
	t.arrived = t.arrived || !unsent
	t.release(false)
	malformed, isMalformed := err.(*http1.Error)
	ex.tried(t.lostEnd(err, late), 0, time.Now())
	switch {
	case ex.s.endedEarly(ex):
	case t.up != nil && t.up.clientErr != nil:
		t.clientFailed(t.up.clientErr)
	case err == errNoMemory:
		t.refuse(tenancy.TooManyInFlight)
	case isMalformed:
		ex.s.log.Debug("a backend's answer was refused", "ref", string(ex.ref[:]), "backend", ex.backend, "error", malformed)
		ex.detail = malformed.Text
		t.refuse(tenancy.BackendProtocol)
	case late && t.vanished(unsent):
		return repeat
	case late:
		t.round.Failed(time.Now(), "no answer in time")
		t.refuse(tenancy.BackendTimeout)
	case t.cutOff() && t.mayRepeat(unsent):
		t.why = tenancy.BackendProtocol
		return repeat
	default:
		t.refuse(tenancy.BackendProtocol)
	}
	return settled
}

// cutOff reports that the backend has ended the connection before it said a
// byte. On a fresh connection that is a failure; idle ones end when they like.
func (t *trip) cutOff() bool {
	if t.fresh && !t.spoke {
		t.round.Failed(time.Now(), "closed a fresh connection without an answer")
	}
	return !t.spoke
}

// repeatable reports whether the request can be sent again once a backend has
// had it.
func (t *trip) repeatable() bool { return t.buffered && idempotent(t.ex.method) }

// mayRepeat reports whether sending the request again can do no harm: not one
// byte of it has left, or doing it twice is the same as doing it once (RFC 9110
// 9.2.2) and its body is still whole. A POST arrives at most once.
func (t *trip) mayRepeat(unsent bool) bool {
	if t.ex.status != 0 || t.told100 || !t.buffered && t.up != nil {
		return false
	}
	return unsent || idempotent(t.ex.method)
}

func idempotent(method []byte) bool {
	switch string(method) {
	case "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE":
		return true
	}
	return false
}

// release lets go of the backend connection; keep says that the next request
// may use it.
func (t *trip) release(keep bool) {
	if t.conn == nil {
		return
	}
	w := t.ex.watch
	w.waiting(false)
	if w.detach() && keep {
		t.conn.Keep()
	} else {
		t.conn.Close()
	}
	t.conn = nil
}

// refuse answers with the usual status of a reason.
func (t *trip) refuse(r tenancy.Reason) { t.ex.s.refuse(t.ex, r.Status(), r) }

// gone ends an exchange whose client has left.
func (ex *exchange) gone() {
	ex.reason = tenancy.ClientGone
	if ex.status == 0 {
		ex.status = tenancy.ClientGone.Status()
	}
	ex.down.abort()
}

// endedEarly ends an exchange that was cut, or whose client has left, while it
// waited for somebody else. It reports whether that is so.
func (s *Server) endedEarly(ex *exchange) bool {
	switch w := ex.watch; {
	case w.cut():
		s.refuseCut(ex)
	case w.aborted():
		ex.gone()
	default:
		return false
	}
	return true
}
