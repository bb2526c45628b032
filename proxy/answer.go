package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// continueAfter is how long a client that waits for 100 (Expect) waits for the
// backend to say it; then we do. Common clients wait a second themselves.
const continueAfter = time.Second

var (
	errInterims  = &http1.Error{Status: http.StatusBadGateway, Text: "there are more interim answers than allowed"}
	errUnasked   = &http1.Error{Status: http.StatusBadGateway, Text: "the backend switches protocols without having been asked to"}
	errCutShort  = &http1.Error{Status: http.StatusBadGateway, Text: "the answer ends before its head does"}
	errNoMemory  = errors.New("the tenant has its part of the memory")
	errStreamEnd = errors.New("the backend closed the connection before it answered")
)

// await reads heads until the final one, and relays interim ones.
func (t *trip) await() (outcome, error) {
	w := t.ex.work
	for {
		if err := t.readHead(); err != nil {
			return 0, err
		}
		switch status := w.answer.Status; {
		case status >= 200:
			t.ex.firstByte = time.Since(t.ex.started)
			return answered, nil
		case status == http.StatusSwitchingProtocols:
			if !t.ex.websocket || !w.answer.WebSocket {
				return 0, errUnasked
			}
			return upgraded, nil
		}
		if t.interims++; t.interims > t.ex.limits.Interim {
			return 0, errInterims
		}
		if err := t.relayInterim(); err != nil {
			return t.clientLeft(), nil
		}
	}
}

// relayInterim passes a 1xx answer on. 100 goes to a client that waits for it,
// once, and lets its body follow.
func (t *trip) relayInterim() error {
	if t.ex.work.answer.Status != http.StatusContinue {
		return t.ex.down.interim(t.ex.work.answer.Status, t.ex.interimFields())
	}
	if !t.ex.expects {
		return nil
	}
	return t.tellContinue()
}

// tellContinue lets the client send its body, and begins to pass it on.
func (t *trip) tellContinue() error {
	if t.told100 {
		return nil
	}
	t.told100 = true
	if err := t.ex.down.interim(http.StatusContinue, nil); err != nil {
		return err
	}
	t.startUpload()
	return nil
}

// readHead reads the next head of an answer.
func (t *trip) readHead() error {
	w := t.ex.work
	limits := &t.ex.limits.Answer
	for {
		n, err := w.answer.Parse(t.in[t.r:t.w], t.ex.method, *limits)
		if err == nil {
			t.r += n
			return nil
		}
		if err != http1.ErrIncomplete {
			return err
		}
		if err := t.readMore(); err != nil {
			return t.headCut(err)
		}
	}
}

// headCut tells an answer that broke off from one that never began.
func (t *trip) headCut(err error) error {
	switch {
	case !errors.Is(err, io.EOF):
		return err
	case t.spoke:
		return errCutShort
	}
	return errStreamEnd
}

// readMore reads what the backend has to say behind in[r:w], in a larger buffer
// when this one is full.
func (t *trip) readMore() error {
	if t.r == t.w {
		t.r, t.w = 0, 0
	}
	if t.w == len(t.in) && !t.makeRoom() {
		return errNoMemory
	}
	n, err := t.readConn(t.in[t.w:])
	t.w += n
	if n > 0 {
		t.spoke = true
		return nil
	}
	return err
}

// makeRoom moves what is not dealt with to the front, of a larger buffer if it
// fills this one; false where there is no memory for it.
func (t *trip) makeRoom() bool {
	to := t.in
	if t.r == 0 {
		size := larger(len(t.in), t.ex.limits.Answer.HeadBytes)
		switch {
		case !t.ex.hold(size):
			return false
		case size == copyRoom:
			t.inCopy = t.ex.s.buffers.takeCopy()
			to = t.inCopy[:]
		default:
			to = make([]byte, size)
		}
	}
	t.w = copy(to, t.in[t.r:t.w])
	t.in, t.r = to, 0
	return true
}

// readConn reads from the backend. While the client waits for 100, it says it
// in the backend's place when the backend is silent for long.
func (t *trip) readConn(p []byte) (int, error) {
	if !t.ex.expects || t.told100 {
		return t.conn.Read(p)
	}
	n, err := t.readPatiently(p, continueAfter)
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) || t.woken() {
		return n, err
	}
	if err := t.tellContinue(); err != nil {
		return 0, err
	}
	return t.conn.Read(p)
}

// readPatiently reads with a deadline of its own, d from now. The watch and the
// upload may set one at the same time; their marks are looked at after each change
// here, so none is lost.
func (t *trip) readPatiently(p []byte, d time.Duration) (int, error) {
	_ = t.conn.SetReadDeadline(time.Now().Add(d))
	if t.woken() {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := t.conn.Read(p)
	_ = t.conn.SetReadDeadline(time.Time{})
	if t.woken() {
		_ = t.conn.SetReadDeadline(past)
	}
	return n, err
}

// woken reports whether the wait for the backend was ended: by the watch, or by
// the upload that has failed.
func (t *trip) woken() bool {
	return t.ex.watch.backendExpired() || t.up != nil && t.up.failed.Load()
}

// relay sends the final answer to the client.
func (t *trip) relay() {
	ex, w := t.ex, t.ex.work
	fields := ex.answerFields()
	framing, length := w.answer.Framing, w.answer.ContentLength
	sent := framing
	if rules := ex.verdict.Route.Compression(); rules != nil {
		fields, sent = t.compress(rules)
	}
	ex.status, ex.phrase, ex.relayed = w.answer.Status, w.answer.Reason, true
	if err := ex.answer(ex.status, fields, sent, length); err != nil {
		t.clientLeft()
		return
	}
	t.trailersPass = ex.answerTrailersPass()
	var err error
	switch framing {
	case http1.ContentLength:
		err = t.relayLength(length)
	case http1.Chunked:
		err = t.relayChunks()
	case http1.UntilClose:
		err = t.relayUntilClose()
	}
	if err != nil {
		t.broken(err)
		return
	}
	t.complete()
}

// complete ends an answer that was read to its end. The backend connection goes
// back first, where nothing more is to be done with it: a slow client shall not
// keep it.
func (t *trip) complete() {
	ex, w := t.ex, t.ex.work
	keep := w.answer.KeepAlive && t.r == t.w && t.sendErr == nil
	var trailers []http1.Field
	if t.trailersPass {
		trailers = ex.answerTrailers(w.chunks.Trailers)
	}
	if t.buffered && !keep {
		t.stopUpload() // a backend that ends the connection wants no more of it
	}
	sends := t.sends()
	if !sends {
		t.release(keep && (t.up == nil || t.finishUpload()))
		t.round.Release()
	}
	if t.endEncoding() != nil || ex.down.end(trailers) != nil {
		t.clientLeft()
		return
	}
	if sends {
		t.release(t.finishUpload() && keep)
	}
}

// broken ends an answer in the middle of its body: what is cut must look cut.
func (t *trip) broken(err error) {
	ex := t.ex
	late := ex.watch.backendExpired()
	t.stopUpload()
	if err == errClient || ex.watch.aborted() || ex.watch.cut() {
		t.clientLeft()
		return
	}
	switch {
	case t.up != nil && t.up.clientErr != nil:
		ex.reason = clientReason(ex, t.up.clientErr)
	case late:
		ex.reason = tenancy.BackendTimeout
	default:
		ex.reason = tenancy.BackendProtocol
	}
	t.bringOut()
	ex.s.log.Debug("an answer was cut", "ref", string(ex.ref[:]), "backend", ex.backend, "error", err)
	ex.down.abort()
}

// clientLeft ends an exchange whose client does not take the answer.
func (t *trip) clientLeft() outcome {
	ex := t.ex
	switch {
	case ex.watch.cut():
		ex.reason = ex.watch.whyCut()
	case ex.watch.expired():
		ex.reason = tenancy.TooSlow
	default:
		ex.reason = tenancy.ClientGone
	}
	if ex.status == 0 {
		ex.status = ex.reason.Status()
	}
	ex.down.abort()
	return settled
}

// dialReason tells which of the product's reasons an error of dialling is.
func dialReason(err error) tenancy.Reason {
	var de *pool.DialError
	switch {
	case ownMeans(err):
		return tenancy.TooManyInFlight
	case errors.As(err, &de) && de.TLS:
		return tenancy.BackendTLS
	}
	return tenancy.BackendConnect
}
