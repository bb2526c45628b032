package proxy

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/tenancy"
)

// holdBody reads a small body of known length before a backend is taken, so
// that a slow client costs the backend nothing. It reports false when the
// exchange is over.
func (t *trip) holdBody() bool {
	ex := t.ex
	if ex.framing == http1.NoBody || ex.framing == http1.ContentLength && ex.body.length() == 0 {
		t.buffered = true
		return true
	}
	if !t.holds() {
		return true
	}
	length := ex.body.length()
	t.buffered = true
	switch {
	case length <= headRoom:
		// The room for the answer: once a byte of that has come, the body is
		// not sent again.
		t.held = t.in[:length]
	case length <= copyRoom:
		t.heldIn = ex.s.buffers.takeCopy()
		t.held = t.heldIn[:length]
	default:
		t.held = make([]byte, length)
	}
	for at := 0; at < len(t.held); {
		n, err := ex.body.next(t.held[at:])
		at += n
		ex.bytesIn.Add(int64(n))
		if err != nil && at < len(t.held) {
			t.clientFailed(err)
			return false
		}
	}
	return true
}

// holds reports whether the body is one that is read before a backend is taken.
func (t *trip) holds() bool {
	ex := t.ex
	return ex.framing == http1.ContentLength && !ex.expects && ex.body.length() <= ex.verdict.Route.RequestBuffer()
}

// clientFailed ends an exchange whose client did not deliver its body.
func (t *trip) clientFailed(err error) {
	ex := t.ex
	reason := clientReason(ex, err)
	var malformed *http1.Error
	switch {
	case reason == tenancy.ClientGone:
		t.ex.gone()
	case errors.As(err, &malformed):
		ex.detail = malformed.Text
		ex.s.refuse(ex, malformed.Status, reason)
	case reason == tenancy.TotalTimeout:
		ex.s.refuseOverdue(ex)
	case reason == tenancy.TooSlow && !ex.watch.resume(t.times.Idle):
		t.clientLeft()
	default:
		t.refuse(reason)
	}
}

// clientReason tells why a body did not come to its end.
func clientReason(ex *exchange, err error) tenancy.Reason {
	var malformed *http1.Error
	switch {
	case err == errBodyTooLarge:
		return tenancy.BodyTooLarge
	case err == errNoMemory:
		return tenancy.TooManyInFlight
	case errors.As(err, &malformed):
		return tenancy.BadRequest
	case ex.watch.cut():
		return ex.watch.whyCut()
	case ex.watch.expired():
		return tenancy.TooSlow
	}
	return tenancy.ClientGone
}

// clientTime is the time that a client has for what goes on between it and us.
// An upload and an answer may go on at once: progress of either counts, and the
// time stands still only when neither waits for the client.
type clientTime struct {
	watch *watch
	mu    sync.Mutex
}

// begin says that something is sent, end that it has left.
func (c *clientTime) begin(d time.Duration) { c.wait(aWrite, d) }
func (c *clientTime) end()                  { c.done(aWrite) }

// beginRead says that a piece of the request's body is waited for, endRead that
// it has come.
func (c *clientTime) beginRead(d time.Duration) { c.wait(aRead, d) }
func (c *clientTime) endRead()                  { c.done(aRead) }

func (c *clientTime) wait(what int32, d time.Duration) {
	c.mu.Lock()
	c.watch.pace.waits.Add(what)
	c.watch.arm(d)
	c.mu.Unlock()
}

func (c *clientTime) done(what int32) {
	c.mu.Lock()
	if c.watch.pace.waits.Add(-what) == 0 {
		c.watch.disarm()
	}
	c.mu.Unlock()
}

// http1Body is the body of an HTTP/1.1 request.
type http1Body struct {
	ex      *exchange
	reader  *requestReader
	client  *http1Client
	chunked bool
	total   int64 // as announced, -1 when chunked
	left    int64 // of total
	base    int   // where more of the body may be read to: behind the head
	isEnded atomic.Bool
	stopped atomic.Bool
	err     error // sticks
}

// begin makes b the body of the request whose head the reader holds.
func (b *http1Body) begin(c *http1Client, r *requestReader, ex *exchange) {
	b.ex, b.reader, b.client, b.err = ex, r, c, nil
	b.chunked = r.head.Framing == http1.Chunked
	b.total, b.left, b.base = r.head.ContentLength, r.head.ContentLength, r.r
	b.isEnded.Store(!r.head.HasBody())
	b.stopped.Store(false)
	if b.chunked {
		r.chunks.Reset(c.conn.peer.limits.Request)
	}
}

// minBodyRoom is the least room behind a head that is worth a read; with less,
// a fresh buffer is taken.
const minBodyRoom = 4 << 10

func (b *http1Body) length() int64 { return b.total }

// ended may be asked while another goroutine reads.
func (b *http1Body) ended() bool { return b.isEnded.Load() && !b.stopped.Load() }

func (b *http1Body) trailers() []http1.Field { return b.reader.chunks.Trailers }

func (b *http1Body) stop() {
	b.stopped.Store(true)
	_ = b.client.conn.Conn.SetReadDeadline(past)
}

func (b *http1Body) next(buf []byte) (n int, err error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.chunked {
		n, b.err = b.nextChunked(buf)
	} else {
		n, b.err = b.nextPlain(buf)
	}
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

func (b *http1Body) nextPlain(buf []byte) (int, error) {
	if int64(len(buf)) > b.left {
		buf = buf[:b.left]
	}
	r := b.reader
	n := copy(buf, r.buf[r.r:r.w])
	r.r += n
	var err error
	if n == 0 && len(buf) > 0 {
		n, err = b.read(buf)
	}
	if b.left -= int64(n); b.left == 0 {
		b.isEnded.Store(true)
		return n, io.EOF
	}
	return n, err
}

func (b *http1Body) nextChunked(buf []byte) (int, error) {
	r, n := b.reader, 0
	for {
		// No more is decoded at once than buf can take.
		raw := r.buf[r.r:min(r.w, r.r+len(buf)-n)]
		data, used, done, err := r.chunks.Next(raw)
		r.r += used
		n += copy(buf[n:], data)
		switch {
		case err != nil:
			return n, err
		case done:
			b.isEnded.Store(true)
			return n, io.EOF
		case n > 0 && (r.r == r.w || n == len(buf)):
			return n, nil
		case r.r < r.w:
			continue
		}
		if err := b.fill(); err != nil {
			return n, err
		}
	}
}

// fill reads raw bytes behind the head, whose views must stay.
func (b *http1Body) fill() error {
	r := b.reader
	if len(r.buf)-b.base < minBodyRoom {
		if !b.ex.hold(copyRoom) {
			return errNoMemory
		}
		r.grow(b.client.server)
		b.base = 0
	}
	r.r, r.w = b.base, b.base
	n, err := b.read(r.buf[b.base:])
	r.w += n
	if n > 0 {
		return nil
	}
	return err
}

// read reads from the client within the idle time. The end of the stream in the
// middle of a body is an abort.
func (b *http1Body) read(p []byte) (int, error) {
	b.client.time.beginRead(b.ex.idle)
	n, err := b.client.stream.Read(p)
	b.client.time.endRead()
	if n > 0 {
		return n, nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}
