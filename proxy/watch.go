package proxy

import (
	"bytes"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/http1"
)

// past is a deadline that has gone by: set on a connection, it ends the reads
// and writes in progress and those to come.
var past = time.Unix(1, 0)

// lapsed stands in a watch's times for one that has passed and has been acted
// on. It is sticky: only resume and attach take it back.
const lapsed = -1

// What a watch's owner is doing, for those who want to close what is idle.
const (
	inUse    int32 = iota // a handshake, a request or its answer is under way
	resting               // waits for the first byte of the next request
	released              // told to end while it rested
)

// watched is what a watch acts on: the client's connection for HTTP/1.1, one
// stream of it for HTTP/2. Its methods must not block.
type watched interface {
	// wake makes reads and writes in progress, and those to come, end with a
	// time-out.
	wake()
	// unwake lets them through again; false where that is not possible.
	unwake() bool
	// gone reports whether the client has left: its FIN or RST has arrived, or
	// it has reset the stream.
	gone() bool
	// sever ends the connection (HTTP/1.1) or the stream (HTTP/2) at once.
	sever()
}

// judged is what a request in progress was admitted by, so that a change of the
// table can judge it again.
type judged struct {
	client                  netip.Addr
	method, authority, path []byte
	fields                  []http1.Field // where X-Forwarded-For tells the client, else nil
	unknown                 bool          // it is not known yet who asks
	users                   users         // who asks
	unasked                 bool          // auth services have not been asked yet
	vouched                 []string      // the keys of those that admit it
}

// watch is the coarse time, the abort and the revocation of one client
// connection or HTTP/2 stream and of the exchange on it. Its owner calls it
// from one goroutine; the sweeper and a reload look at it from others. Setting
// a time is one atomic operation; nothing here starts a timer.
//
// Times never run out early and at most two ticks late. Once one has run out
// (or the client has gone, or the connection was cut) the state stays: an
// operation that fails with a time-out asks expired, backendExpired, aborted
// and cut for the cause.
type watch struct {
	clock *clock
	conn  *conn

	// clientAt, backendAt and endAt are coarse times, 0 for none, or lapsed.
	clientAt   atomic.Int64
	backendAt  atomic.Int64
	endAt      atomic.Int64 // when a draining connection is cut
	totalAt    atomic.Int64 // when the request in progress has had its whole time
	sendAt     atomic.Int64 // when what an HTTP/2 connection is sending must have left
	heardAt    atomic.Int64 // from when on the backend must have acknowledged the request; 0: for ever
	use        atomic.Int32
	isWaiting  atomic.Bool
	isAborted  atomic.Bool
	isUnheard  atomic.Bool   // the backend in use is gone
	isCut      atomic.Bool   // the whole of it
	allCutFor  atomic.Uint32 // a tenancy.Reason: why
	requestCut atomic.Bool   // only the request in progress
	cutFor     atomic.Uint32 // a tenancy.Reason: why the request is not admitted any more

	// pace is the client's on the body at hand.
	pace pace

	mu      sync.Mutex
	target  watched   // nil once closed
	backend awaitable // the backend connection in use, or a place in a queue
	request judged
	active  bool // request holds a request in progress

	link link // the registry's, guarded by the shard's lock
}

// arm gives the client d from now for what it is expected to do or take next.
func (w *watch) arm(d time.Duration) { setTime(&w.clientAt, w.clock.after(d)) }

// disarm stops the client's time.
func (w *watch) disarm() { setTime(&w.clientAt, 0) }

// touch gives the backend connection in use d from now.
func (w *watch) touch(d time.Duration) { setTime(&w.backendAt, w.clock.after(d)) }

// sending gives the client d from now to take what all streams of a connection
// have to wait behind; sent ends that.
func (w *watch) sending(d time.Duration) {
	w.sendAt.Store(w.clock.after(d))
	w.pace.waits.Add(aWrite)
}

func (w *watch) sent() {
	w.pace.waits.Add(-aWrite)
	w.sendAt.Store(0)
}

// setTime stores a coarse time unless the former one has lapsed.
func setTime(at *atomic.Int64, t int64) {
	for {
		old := at.Load()
		if old == lapsed || at.CompareAndSwap(old, t) {
			return
		}
	}
}

// freshGrace is how long a connection that has not carried a request yet is
// waited for while the server goes down: its client has probably sent one.
const freshGrace = time.Second

// rest says that the connection waits for its next request, for at most d. It
// reports false when there is to be none: close the connection.
func (w *watch) rest(d time.Duration) bool {
	w.arm(d)
	w.use.Store(resting)
	// Whoever closes idle connections says so first and looks at use then, so
	// that one of the two sees the other.
	if !w.conn.ending() {
		return true
	}
	if !w.conn.served.Load() {
		w.arm(min(d, freshGrace))
		return true
	}
	return !w.use.CompareAndSwap(resting, released)
}

// wakeUp says that the first byte of a request has come, and that the rest of
// its head may take d; bytes that follow do not extend it. It reports false
// when the connection was told to end meanwhile.
func (w *watch) wakeUp(d time.Duration) bool {
	if !w.use.CompareAndSwap(resting, inUse) && w.use.Load() != inUse {
		return false
	}
	w.conn.served.Store(true)
	w.arm(d)
	return true
}

// release ends the connection if it rests. One that has not carried a request
// yet has a moment left, and so has HTTP/2, where the last frames of an answer
// may be on their way although no stream is open any more.
func (w *watch) release() {
	if !w.conn.served.Load() || w.conn.multiplexed.Load() {
		if w.use.Load() == resting {
			w.arm(freshGrace)
		}
		return
	}
	if !w.use.CompareAndSwap(resting, released) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.target != nil {
		w.target.wake()
	}
}

// resume takes back an expiry of the client's time, so that a last answer (408)
// can be written within d. It reports false where that is not possible: what was
// cut is not to be answered, and a stream that answers stays ended.
func (w *watch) resume(d time.Duration) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.target == nil || w.cut() && !w.overdue() || !w.target.unwake() {
		return false
	}
	w.clientAt.Store(w.clock.after(d))
	return true
}

// awaitable is what an exchange waits for while its client waits. A deadline in
// the past ends the wait.
type awaitable interface{ SetDeadline(time.Time) error }

// attach puts the backend connection under watch, with d from now. One that is
// attached after the client has gone or the connection was cut is woken at once.
func (w *watch) attach(backend awaitable, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.backend = backend
	w.backendAt.Store(w.clock.after(d))
	if w.isUnheard.Load() {
		w.isUnheard.Store(false)
	}
	if w.isAborted.Load() || w.cut() {
		w.wakeBackend()
	}
}

// detach takes the backend connection out of the watch and reports whether it
// is untouched: one that is not has a deadline in the past and must be closed.
func (w *watch) detach() (untouched bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.backend = nil
	if w.heardAt.Load() != 0 {
		w.heardAt.Store(0)
	}
	return w.backendAt.Swap(0) != lapsed
}

// retarget makes the watch act on something that lies above its connection.
func (w *watch) retarget(t watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.target != nil {
		w.target = t
	}
}

// wakeBackend ends what goes on on the backend connection. The caller holds mu.
func (w *watch) wakeBackend() {
	w.backendAt.Store(lapsed)
	if w.backend != nil {
		_ = w.backend.SetDeadline(past)
	}
}

// waiting says whether the exchange waits for the backend without reading from
// the client; while it does, the sweeper looks whether the client has gone.
func (w *watch) waiting(yes bool) { w.isWaiting.Store(yes) }

// expired reports whether the client's time has run out.
func (w *watch) expired() bool { return w.clientAt.Load() == lapsed }

// backendExpired reports whether the backend connection in use was woken:
// because its time ran out, unless aborted or cut say otherwise.
func (w *watch) backendExpired() bool { return w.backendAt.Load() == lapsed }

// aborted reports whether the client has gone while the exchange waited.
func (w *watch) aborted() bool { return w.isAborted.Load() }

// cut reports whether a change of the table, or the end of the drain, has ended
// the connection or the request in progress.
func (w *watch) cut() bool { return w.isCut.Load() || w.requestCut.Load() }

// begin notes what the request in progress was admitted by. The slices must not
// be written before end; keep loosens that.
func (w *watch) begin(j judged) {
	w.mu.Lock()
	w.request, w.active = j, true
	w.mu.Unlock()
}

// keep copies what begin was given, so that its buffers may be released while
// the request goes on, as a tunnel does.
func (w *watch) keep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.request.method = bytes.Clone(w.request.method)
	w.request.authority = bytes.Clone(w.request.authority)
	w.request.path = bytes.Clone(w.request.path)
	var forwarded []http1.Field
	for _, f := range w.request.fields {
		if isForwardedFor(f.Name) {
			forwarded = append(forwarded, http1.Field{Name: bytes.Clone(f.Name), Value: bytes.Clone(f.Value)})
		}
	}
	w.request.fields = forwarded
}

// end forgets the request, and that it alone was cut.
func (w *watch) end() {
	w.mu.Lock()
	w.request, w.active = judged{}, false
	w.totalAt.Store(0)
	w.mu.Unlock()
	w.requestCut.Store(false)
}

// inFlight reports whether a request is in progress.
func (w *watch) inFlight() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.active
}

// close takes the watch out of the hands of the sweeper and of reloads: after
// it returns, neither touches the target again.
func (w *watch) close() {
	w.mu.Lock()
	w.target, w.backend = nil, nil
	w.mu.Unlock()
}
