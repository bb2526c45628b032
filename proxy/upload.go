package proxy

import (
	"io"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// unbounded is the time that a backend has while the client's side is the one
// that is waited for and timed.
const unbounded = 365 * 24 * time.Hour

// atOnceRoom is how much of a held body is written without an upload: Linux
// gives each socket that much to send (tcp_wmem), so that the write does not
// wait for the backend to read. A larger body never lies in the room for the
// answer, which may come meanwhile.
const atOnceRoom = headRoom

// upload passes a body on to the backend while the answer may already come
// back: full duplex takes a second goroutine. It ends with the body, with an
// error of either side, or when it is stopped.
type upload struct {
	ex    *exchange
	conn  *pool.Conn
	times tenancy.Timeouts
	held  []byte // the body, where it was read before; nil: it comes from the client
	toll  toll
	quit  chan struct{} // closed when it is to stop waiting for its turn
	done  chan struct{} // closed when it has ended; the errors are read after that
	// stopped says that whatever goes wrong from now on is our doing, failed
	// that there will be no answer to wait for.
	stopped, failed atomic.Bool
	// clientErr says why the body did not come to its end, backendErr why it
	// was not taken.
	clientErr, backendErr error
	finished              bool // the backend was sent the whole body
}

func (t *trip) startUpload() {
	if t.buffered || t.up != nil {
		return
	}
	t.up = &upload{ex: t.ex, conn: t.conn, times: t.times, quit: make(chan struct{}), done: make(chan struct{})}
	go t.up.run()
}

// startHeldUpload passes on a body that is held. The time until the answer goes
// on meanwhile: it is the backend alone that is waited for.
func (t *trip) startHeldUpload(body []byte) {
	t.up = &upload{ex: t.ex, conn: t.conn, held: body, quit: make(chan struct{}), done: make(chan struct{})}
	go t.up.run()
}

// stopUpload ends the upload, whatever it waits for.
func (t *trip) stopUpload() {
	if t.up == nil || t.up.over() {
		return
	}
	if !t.up.stopped.Swap(true) {
		close(t.up.quit)
	}
	if t.up.held == nil && !t.ex.body.ended() {
		t.ex.body.stop()
	}
	_ = t.up.conn.SetDeadline(past)
	<-t.up.done
}

// lastPieceTime is how long the end of a body may take to leave after the
// backend has answered: it has read all of it, as a rule.
const lastPieceTime = time.Second

// finishUpload waits for an upload whose body has been read, and stops any
// other. It reports whether the backend has the whole body.
func (t *trip) finishUpload() bool {
	if t.up == nil {
		return false
	}
	if t.up.held != nil || t.ex.body.ended() {
		_ = t.up.conn.SetWriteDeadline(time.Now().Add(lastPieceTime))
		<-t.up.done
		_ = t.up.conn.SetWriteDeadline(time.Time{})
	} else {
		t.stopUpload()
	}
	// One that was stopped may have come to its end nevertheless; its
	// connection has a deadline in the past.
	return t.up.finished && !t.up.stopped.Load()
}

// sends reports whether more of the request may be on its way to the backend.
func (t *trip) sends() bool { return !t.buffered || t.up != nil && !t.up.over() }

// over reports whether the upload has ended, well or not.
func (u *upload) over() bool {
	select {
	case <-u.done:
		return true
	default:
		return false
	}
}

// run is the upload's goroutine.
func (u *upload) run() {
	defer close(u.done)
	defer u.contain()
	if u.held == nil {
		u.stream()
		return
	}
	_, u.backendErr = u.conn.Write(u.held)
	u.finished = u.backendErr == nil
}

// stream passes on what comes from the client.
func (u *upload) stream() {
	buffer := u.ex.s.buffers.takeCopy()
	defer u.ex.s.buffers.giveCopy(buffer)
	chunked := u.ex.framing == http1.Chunked
	room := buffer[chunkHeaderRoom : copyRoom-len(crlf)]
	for {
		u.ex.watch.touch(unbounded)
		n, err := u.ex.body.next(room)
		if n > 0 {
			if u.ex.bytesIn.Add(int64(n)) > u.ex.limits.Body {
				u.clientErr = errBodyTooLarge
				u.wake()
				return
			}
			piece := room[:n]
			if chunked {
				piece = enchunk(buffer, n)
			}
			if !u.ex.pay(&u.toll, n, u.quit) || !u.write(piece) {
				return
			}
		}
		switch {
		case err == io.EOF:
			if chunked && !u.write(http1.AppendLastChunk(buffer[:0], u.ex.requestTrailers(u.ex.body.trailers()))) {
				return
			}
			u.finished = true
			u.ex.watch.touch(u.times.FirstByte)
			return
		case err != nil:
			if !u.stopped.Load() {
				u.clientErr = err
				u.wake()
			}
			return
		}
	}
}

// write gives the backend the idle time for a piece.
func (u *upload) write(piece []byte) bool {
	u.ex.watch.touch(u.times.Idle)
	_, u.backendErr = u.conn.Write(piece)
	return u.backendErr == nil
}

// wake ends the other goroutine's wait for an answer: without its body the
// request gets none.
func (u *upload) wake() {
	u.failed.Store(true)
	_ = u.conn.SetReadDeadline(past)
}

func (u *upload) contain() {
	fault := recover()
	if fault == nil {
		return
	}
	u.ex.s.metrics.Panicked()
	u.ex.s.log.Error("an upload met a fault of the gateway; ended its request",
		"ref", string(u.ex.ref[:]), "fault", fault, "stack", string(debug.Stack()))
	u.clientErr = &http1.Error{Status: http.StatusInternalServerError, Text: "a fault of the gateway"}
	u.wake()
}

// chunkHeaderRoom is what enchunk needs in front of the data.
const chunkHeaderRoom = http1.ChunkOverheadMax

const crlf = "\r\n"

// enchunk makes a chunk of the n bytes that lie behind chunkHeaderRoom, without
// moving them.
func enchunk(buffer *copyBuffer, n int) []byte {
	var room [chunkHeaderRoom]byte
	header := http1.AppendChunkHeader(room[:0], n)
	start := chunkHeaderRoom - len(header)
	copy(buffer[start:], header)
	end := chunkHeaderRoom + n
	end += copy(buffer[end:], crlf)
	return buffer[start:end]
}
