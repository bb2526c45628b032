package proxy

import (
	"sync/atomic"
	"time"

	"gatehouse/tenancy"
)

// What is waited for, as pace.waits counts it.
const (
	aRead  int32 = 1       // of the request's body
	aWrite int32 = 1 << 16 // of the answer, or of what an HTTP/2 connection sends
)

// pace holds a client to limits.min_rate: the body of a request until the answer
// begins, then the answer. Whoever reads and writes says when it begins and ends
// to wait, and counts bytes; all else is the sweeper's. Once a tick it looks at
// who is being waited for just then, and charges a tick of waiting: what a
// client has to be waited for is sampled, not measured, so it costs no look at a
// clock. Waiting for a backend is never charged, nor is an answer that fits into
// the kernel's buffers.
type pace struct {
	rate atomic.Pointer[tenancy.MinRate]
	// turn counts the bodies: it is odd while the answer is under way. base is
	// what had moved when the turn began.
	turn  atomic.Uint32
	base  atomic.Int64
	waits atomic.Int32
	// read and written count the bytes of a connection below TLS, or of a body
	// over HTTP/2. What is written counts when the write begins.
	read, written atomic.Int64
	// slack is what may have come without being seen: the library hands over
	// HTTP/2 frames whole.
	slack int64

	// The following belong to the sweeper and are guarded by the watch's mu.
	seenTurn uint32
	seen     int64         // that had moved at the last look
	behind   time.Duration // what the client owes; below zero it is ahead
}

// begin begins a request.
func (p *pace) begin(rate *tenancy.MinRate) {
	p.rate.Store(rate)
	p.base.Store(p.read.Load() - p.slack)
	p.turn.Store((p.turn.Load() | 1) + 1)
}

// hold replaces the rate, once the route is known.
func (p *pace) hold(rate *tenancy.MinRate) { p.rate.Store(rate) }

// answer begins the answer. From now on the request's body has its time by the
// answer's side.
func (p *pace) answer() {
	p.base.Store(p.written.Load())
	p.turn.Store(p.turn.Load() | 1)
}

// answering reports whether the answer has begun.
func (p *pace) answering() bool { return p.turn.Load()&1 == 1 }

// look is a tick of waiting for the client, which has moved so many bytes in
// all. It reports whether any were new, and whether the client is too slow.
func (p *pace) look(moved int64) (progress, tooSlow bool) {
	if turn := p.turn.Load(); turn != p.seenTurn {
		// Of a former answer, not all may have been taken when this one begins.
		p.seenTurn, p.seen, p.behind = turn, min(p.base.Load(), moved), 0
	}
	bytes := max(moved-p.seen, 0)
	p.seen += bytes
	rate := p.rate.Load()
	if rate.PerSecond == 0 {
		return bytes > 0, false
	}
	earned := float64(bytes) / float64(rate.PerSecond) * float64(time.Second)
	p.behind += tick - time.Duration(min(earned, float64(rate.Ahead+rate.After+tick)))
	p.behind = max(p.behind, -rate.Ahead)
	return bytes > 0, p.behind > rate.After
}

// measure looks at a client that is waited for. The time of one that moves
// anything at all is set anew: a piece may take longer than two of its bytes.
func (w *watch) measure() {
	w.mu.Lock()
	defer w.mu.Unlock()
	waits := w.pace.waits.Load()
	if w.target == nil || w.pace.rate.Load() == nil {
		return
	}
	var moved int64
	switch answering := w.pace.answering(); {
	case answering && waits >= aWrite && !w.behindOthers():
		moved = w.taken()
	case !answering && waits%aWrite > 0:
		moved = w.pace.read.Load()
	default:
		return
	}
	progress, tooSlow := w.pace.look(moved)
	at, end := &w.clientAt, w.target.wake
	if w.carries() {
		at, end = &w.sendAt, w.target.sever
	}
	is := at.Load()
	switch {
	case is <= 0:
	case tooSlow && at.CompareAndSwap(is, lapsed):
		end()
	case progress:
		at.CompareAndSwap(is, w.clock.after(w.pace.rate.Load().Ahead))
	}
}

// carries reports whether the watch is that of an HTTP/2 connection, which is
// held to the rate as a whole while its socket takes nothing more.
func (w *watch) carries() bool { return w == &w.conn.watch && w.conn.multiplexed.Load() }

// behindOthers reports whether the watch is that of a stream whose answer waits
// because the connection does: its window is not to blame.
func (w *watch) behindOthers() bool {
	return w != &w.conn.watch && w.conn.watch.sendAt.Load() > 0
}

// taken returns how much of what was written the client has taken.
func (w *watch) taken() int64 {
	written := w.pace.written.Load()
	if w != &w.conn.watch {
		return written
	}
	if acked := w.conn.acked(); acked > 0 {
		return acked
	}
	return written
}
