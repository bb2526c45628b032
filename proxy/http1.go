package proxy

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/tenancy"
)

const (
	// lingerTime is how long a client that is still sending is listened to
	// after its last answer: to close at once would send an RST, and that makes
	// kernels throw away what the client has not read yet (RFC 9112 9.6).
	lingerTime = 5 * time.Second
	// lingerBytes bounds what is read of it meanwhile.
	lingerBytes = 64 << 20
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
	r.large, r.spare, r.buf = nil, nil, nil
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
		n, _ := h.stream.Read(h.first[:])
		if n == 0 || !h.conn.watch.wakeUp(h.conn.peer.timeouts.Header) {
			break
		}
		r := h.server.takeReader()
		r.buf[0], r.w = h.first[0], 1
		again := h.serveRequests(r)
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
		n, err := r.head.Parse(r.buf[r.r:r.w], http1.DefaultLimits())
		if err == nil {
			r.r += n
			h.conn.watch.disarm()
			return true
		}
		if err != http1.ErrIncomplete {
			h.refuseHead(r, err)
			return false
		}
		r.makeRoom(h.server)
		n, err = h.stream.Read(r.buf[r.w:])
		r.w += n
		if n > 0 {
			continue
		}
		if h.conn.watch.expired() && h.conn.watch.resume(h.conn.peer.timeouts.Idle) {
			h.answerAlone(r, http.StatusRequestTimeout, tenancy.TooSlow)
			return false
		}
		h.conn.Close()
		return false
	}
}

// makeRoom moves a head that has begun to the front, of a large buffer if it
// fills a small one.
func (r *requestReader) makeRoom(s *Server) {
	if r.w < len(r.buf) {
		return
	}
	if r.r > 0 {
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
		return
	}
	r.large = s.buffers.takeCopy()
	r.w = copy(r.large[:], r.buf)
	r.buf = r.large[:]
}

// grow puts what is read from now on into a fresh buffer. The views into the
// former one stay.
func (r *requestReader) grow(s *Server) {
	r.spare = s.buffers.takeCopy()
	r.buf = r.spare[:]
}

// refuseHead answers a head that the parser refuses.
func (h *http1Client) refuseHead(r *requestReader, err error) {
	status, reason := http.StatusBadRequest, tenancy.BadRequest
	var refused *http1.Error
	if errors.As(err, &refused) {
		status = refused.Status
	}
	if status == http.StatusMethodNotAllowed {
		reason = tenancy.MethodNotAllowed
	}
	h.conn.watch.disarm()
	h.answerAlone(r, status, reason)
}

// answerAlone answers what has no valid head, and closes the connection.
func (h *http1Client) answerAlone(r *requestReader, status int, reason tenancy.Reason) {
	r.head.Reset()
	ex := h.newExchange(r)
	r.body.isEnded.Store(false)
	h.server.refuseHead(ex, status, reason)
	h.server.giveExchange(ex)
	h.linger(r)
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
		h.linger(r)
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

// linger ends a connection whose client may still be sending: it is told that
// nothing more follows, and heard out for a while.
func (h *http1Client) linger(r *requestReader) {
	defer h.conn.Close()
	if !h.conn.watch.resume(lingerTime) || h.stream.CloseWrite() != nil {
		return
	}
	if tcp, ok := h.conn.Conn.(interface{ CloseWrite() error }); ok {
		_ = tcp.CloseWrite()
	}
	for total := 0; total < lingerBytes; {
		n, err := h.conn.Conn.Read(r.small[:])
		if total += n; err != nil {
			return
		}
	}
}

// http1Answer is the answer to an HTTP/1.1 request on its way out. Head and
// body leave in one write, and one TLS record, when they fit.
type http1Answer struct {
	client  *http1Client
	reader  *requestReader
	ex      *exchange
	out     []byte // what is held back
	framing http1.Framing
	left    int64 // of a body of known length
	bodied  bool  // a body follows the head
	keep    bool  // another request may follow
	cut     bool  // the answer was ended early
}

func (a *http1Answer) begin(c *http1Client, r *requestReader, ex *exchange) {
	*a = http1Answer{client: c, reader: r, ex: ex, out: ex.work.out[:0]}
}

func (a *http1Answer) interim(status int, fields []http1.Field) error {
	if a.reader.head.Minor == 0 {
		return nil
	}
	a.out = http1.AppendStatusLine(a.ex.work.out[:0], status)
	for _, f := range fields {
		a.out = http1.AppendField(a.out, f.Name, f.Value)
	}
	a.out = http1.AppendFieldsEnd(a.out)
	return a.flush()
}

func (a *http1Answer) head(status int, fields []http1.Field, framing http1.Framing, length int64) error {
	head := &a.reader.head
	a.framing, a.left = framing, length
	if framing == http1.Chunked || framing == http1.UntilClose {
		a.framing = http1.Chunked
		if head.Minor == 0 {
			a.framing = http1.UntilClose
		}
	}
	a.bodied = framing != http1.NoBody && string(head.Method) != http.MethodHead
	a.keep = head.KeepAlive && a.framing != http1.UntilClose && a.reader.body.ended() && a.client.conn.mayContinue()
	a.out = a.ex.work.out[:0]
	if a.ex.phrase != nil {
		a.out = http1.AppendStatusReason(a.out, status, a.ex.phrase)
	} else {
		a.out = http1.AppendStatusLine(a.out, status)
	}
	for _, f := range fields {
		a.out = http1.AppendField(a.out, f.Name, f.Value)
	}
	a.out = a.appendFraming(a.out)
	return nil
}

// appendFraming appends what tells the client where the answer ends and whether
// another may follow.
func (a *http1Answer) appendFraming(b []byte) []byte {
	switch a.framing {
	case http1.ContentLength:
		b = http1.AppendFieldInt(b, "Content-Length", a.left)
	case http1.Chunked:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case !a.keep:
		b = append(b, "Connection: close\r\n"...)
	case a.reader.head.Minor == 0:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	return http1.AppendFieldsEnd(b)
}

func (a *http1Answer) write(p []byte) error {
	switch {
	case len(p) == 0 || !a.bodied:
		return nil
	case a.framing == http1.Chunked:
		return a.writeChunks(p)
	case a.framing == http1.ContentLength:
		if a.left -= int64(len(p)); a.left < 0 {
			return errTooLong
		}
	}
	return a.writePlain(p)
}

var errTooLong = errors.New("the body is longer than announced")

// writePlain holds back what fits, and sends the rest in pieces of one TLS
// record: each is one system call, whatever the size of p, and a slow client
// has its time for each.
func (a *http1Answer) writePlain(p []byte) error {
	for len(p) > 0 {
		if len(a.out) == 0 && len(p) >= headRoom {
			if err := a.send(p[:headRoom]); err != nil {
				return err
			}
			p = p[headRoom:]
			continue
		}
		if err := a.reserve(1); err != nil {
			return err
		}
		n := min(len(p), headRoom-len(a.out))
		a.out = append(a.out, p[:n]...)
		p = p[n:]
	}
	return nil
}

// minChunk keeps chunks from becoming tiny at the end of the buffer.
const minChunk = 512

func (a *http1Answer) writeChunks(p []byte) error {
	for len(p) > 0 {
		if err := a.reserve(http1.ChunkOverheadMax + min(len(p), minChunk)); err != nil {
			return err
		}
		n := min(len(p), headRoom-len(a.out)-http1.ChunkOverheadMax)
		a.out = http1.AppendChunk(a.out, p[:n])
		p = p[n:]
	}
	return nil
}

// reserve makes room for n bytes behind what is held back, by sending that if
// need be.
func (a *http1Answer) reserve(n int) error {
	if len(a.out)+n <= headRoom {
		return nil
	}
	return a.flush()
}

func (a *http1Answer) flush() error {
	if len(a.out) == 0 {
		return nil
	}
	err := a.send(a.out)
	a.out = a.ex.work.out[:0]
	return err
}

func (a *http1Answer) send(p []byte) error {
	a.client.time.begin(a.ex.idle)
	_, err := a.client.stream.Write(p)
	a.client.time.end()
	return err
}

func (a *http1Answer) canTrailers() bool { return a.bodied && a.framing == http1.Chunked }

func (a *http1Answer) end(trailers []http1.Field) error {
	if a.canTrailers() {
		a.out = http1.AppendLastChunk(a.out, trailers)
	}
	if a.bodied && a.framing == http1.ContentLength && a.left > 0 {
		return io.ErrUnexpectedEOF
	}
	return a.flush()
}

// abort closes the connection without a close_notify: neither the framing nor
// TLS lets the client take what it has for the whole.
func (a *http1Answer) abort() {
	a.cut, a.keep = true, false
	_ = a.client.conn.Close()
}
