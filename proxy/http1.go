package proxy

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/tenancy"
)

// clientStream is the client's connection as HTTP sees it.
type clientStream interface {
	net.Conn
	// CloseWrite tells the client that nothing more follows (close_notify).
	CloseWrite() error
}

// http1Client is a client that speaks HTTP/1.1. While it is idle it holds no
// buffer.
type http1Client struct {
	server *Server
	conn   *conn
	stream clientStream
	time   clientTime
	first  [1]byte // of a request: what is waited for while idle
	// keepAlive is the time between two requests, of the host that was asked
	// last.
	keepAlive time.Duration
}

// requestReader is the memory that an HTTP/1.1 client has from the first byte
// of a request to the last of its answer.
type requestReader struct {
	head   http1.RequestHead
	chunks http1.ChunkDecoder
	body   http1Body
	answer http1Answer
	buf    []byte // of which buf[r:w] is not dealt with
	r, w   int
	small  *headBuffer
	held   int         // of the connection's memory, for a large head
	large  *copyBuffer // a large head's buffer
	spare  *copyBuffer // a body's, when there was no room behind its head
}

func (s *Server) takeReader() *requestReader {
	r, ok := s.buffers.readers.Get().(*requestReader)
	if !ok {
		r = new(requestReader)
	}
	if r.small == nil {
		r.small = s.buffers.takeHead()
	}
	r.buf, r.r, r.w = r.small[:], 0, 0
	return r
}

func (s *Server) giveReader(r *requestReader) {
	r.head.Reset()
	r.chunks.Reset(http1.Limits{})
	s.buffers.giveCopy(r.large)
	s.buffers.giveCopy(r.spare)
	r.large, r.spare, r.buf, r.held = nil, nil, nil, 0
	s.buffers.readers.Put(r)
}

// serveHTTP1 serves HTTP/1.1 on a connection whose handshake is done, until it
// ends; it is closed then. A request is read, judged, forwarded and answered on
// this one goroutine.
func (s *Server) serveHTTP1(c *conn, t *tls.Conn) {
	client := &http1Client{server: s, conn: c, stream: t}
	client.serve()
}

func (h *http1Client) serve() {
	h.time.watch = &h.conn.watch
	h.keepAlive = h.conn.peer.timeouts.KeepAlive
	for h.conn.watch.rest(h.keepAlive) {
		h.conn.hearing = hearing{listens: h.conn.owner != nil}
		n, _ := h.stream.Read(h.first[:])
		h.conn.hearing.listens = false
		if n == 0 || !h.conn.watch.wakeUp(h.conn.peer.timeouts.Header) {
			break
		}
		r := h.server.takeReader()
		r.buf[0], r.w = h.first[0], 1
		again := h.serveRequests(r)
		h.server.means.repay(h.conn, r.held)
		h.server.giveReader(r)
		if !again {
			return
		}
	}
	h.close()
}

// serveRequests serves the requests that the client has begun to send. It
// reports whether the connection rests now, and is closed otherwise.
func (h *http1Client) serveRequests(r *requestReader) bool {
	for {
		if !h.readHead(r) || !h.serveOne(r) {
			return false
		}
		if r.r == r.w {
			return true
		}
		// The next request was sent without waiting for the answer.
		h.conn.watch.arm(h.conn.peer.timeouts.Header)
	}
}

// readHead reads the head of a request. One that is refused, or does not come
// in time, is answered, and the connection is closed.
func (h *http1Client) readHead(r *requestReader) bool {
	for {
		n, err := r.head.Parse(r.buf[r.r:r.w], h.conn.peer.limits.Request)
		if err == nil && r.head.AbsoluteScheme == "http" {
			err = errPlainTarget
		}
		if err == nil {
			r.r += n
			h.conn.watch.disarm()
			return true
		}
		if err != http1.ErrIncomplete {
			h.refuseHead(r, err)
			return false
		}
		if !h.makeRoom(r) {
			h.conn.watch.disarm()
			h.answerAlone(r, errHeadRoom, tenancy.TooManyInFlight)
			return false
		}
		n, _ = h.stream.Read(r.buf[r.w:])
		r.w += n
		if n > 0 {
			continue
		}
		if h.conn.watch.expired() && h.conn.watch.resume(h.conn.peer.timeouts.Idle) {
			h.answerAlone(r, errHeadTime, tenancy.TooSlow)
			return false
		}
		h.conn.Close()
		return false
	}
}

// errPlainTarget refuses an absolute target that is not what the connection is:
// a backend that believed it would take the request for one over plain HTTP
// (RFC 9110 section 7.4).
var errPlainTarget = &http1.Error{Status: http.StatusBadRequest, Text: "the target says http, the connection is https"}

// makeRoom moves a head that has begun to the front, of a larger buffer if it
// fills this one. It reports false where there is no memory for that.
func (h *http1Client) makeRoom(r *requestReader) bool {
	if r.w < len(r.buf) {
		return true
	}
	if r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
		return true
	}
	size := larger(len(r.buf), h.conn.peer.limits.Request.HeadBytes)
	if !h.server.means.borrow(h.conn, size) {
		return false
	}
	r.held += size
	var room []byte
	if size == copyRoom {
		r.large = h.server.buffers.takeCopy()
		room = r.large[:]
	} else {
		room = make([]byte, size)
	}
	r.w = copy(room, r.buf)
	r.buf = room
	return true
}

// larger returns the size of a buffer for a head of most bytes that has filled
// one: that of a pooled one if that will do, which is nearly always, else twice
// as much.
func larger(full, most int) int {
	if full < copyRoom {
		return copyRoom
	}
	return max(min(2*full, most), full+1)
}

// grow puts what is read from now on into a fresh buffer. The views into the
// former one stay.
func (r *requestReader) grow(s *Server) {
	r.spare = s.buffers.takeCopy()
	r.buf = r.spare[:]
}

// refuseHead answers a head that the parser refuses.
func (h *http1Client) refuseHead(r *requestReader, err error) {
	refused := errHead
	errors.As(err, &refused)
	h.conn.watch.disarm()
	h.answerAlone(r, refused, malformedReason(refused))
}

// answerAlone answers what has no valid head, and closes the connection.
func (h *http1Client) answerAlone(r *requestReader, refusal *http1.Error, reason tenancy.Reason) {
	r.head.Reset()
	ex := h.newExchange(r)
	r.body.isEnded.Store(false)
	h.server.refuseHead(ex, refusal, reason)
	h.server.giveExchange(ex)
	h.conn.linger(h.stream, r.small[:])
}

// newExchange returns an exchange for this client.
func (h *http1Client) newExchange(r *requestReader) *exchange {
	ex := h.server.takeExchange()
	ex.peer, ex.client, ex.watch = &h.conn.peer, h.conn.peer.client, &h.conn.watch
	ex.proto = "HTTP/1.1"
	ex.body, ex.down = &r.body, &r.answer
	r.body.begin(h, r, ex)
	r.answer.begin(h, r, ex)
	return ex
}

// serveOne serves the request whose head was read. It reports whether another
// one may follow; otherwise the connection is closed.
func (h *http1Client) serveOne(r *requestReader) bool {
	ex := h.newExchange(r)
	ex.fill(&r.head)
	ex.heard, h.conn.hearing = h.conn.hearing, hearing{}
	h.server.serveExchange(ex)
	if host := ex.verdict.Host; host != nil {
		h.keepAlive = host.Timeouts().KeepAlive
	}
	again, cut, unread := r.answer.keep && !ex.panicked, r.answer.cut, !r.body.ended()
	h.server.giveExchange(ex)
	switch {
	case cut:
		h.conn.Close()
	case again:
		return true
	case unread || r.r < r.w:
		h.conn.linger(h.stream, r.small[:])
	default:
		h.close()
	}
	return false
}

// fill takes over what the parser has found.
func (ex *exchange) fill(head *http1.RequestHead) {
	ex.head = head
	ex.method, ex.authority, ex.path, ex.query = head.Method, head.Host, head.Path, head.Query
	ex.hasQuery, ex.fields, ex.framing = head.HasQuery, head.Fields, head.Framing
	ex.expects, ex.websocket, ex.trailers = head.ExpectContinue, head.WebSocket, head.AcceptsTrailers
	if head.Minor == 0 {
		ex.proto = "HTTP/1.0"
	}
}

// close ends the connection in order.
func (h *http1Client) close() {
	// A dead client must not hold the goroutine: crypto/tls gives the
	// close_notify five seconds.
	_ = h.stream.Close()
	_ = h.conn.Close()
}
