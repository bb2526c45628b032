package proxy

import (
	"io"
	"net/http"

	"gatehouse/internal/http1"
)

// standardRequest is one request of the standard data plane as an exchange sees
// it: the body that it reads from and the way out of its answer.
type standardRequest struct {
	adapted
	link    *standardConn
	memory  *requestReader // the head lies in it
	early   []byte         // sent behind a request that has become a tunnel
	keeps   bool           // the client allows another request
	chunked bool           // the answer goes out in chunks
}

// serveRequest makes an exchange of a request that the library has read.
func (c *standardConn) serveRequest(w http.ResponseWriter, r *http.Request) {
	if !c.begin() {
		panic(http.ErrAbortHandler)
	}
	q := &standardRequest{
		adapted: adapted{conn: c.conn, w: w, r: r, control: http.NewResponseController(w), time: &c.time},
		link:    c,
	}
	defer q.leave()
	q.exchange(c.conn.server)
}

// leave contains a fault of ours and ends what cannot go on: a connection whose
// answer is to look cut at once, one with more of a body to come once the
// answer is out.
func (q *standardRequest) leave() {
	fault := recover()
	q.link.ex = nil
	if !q.ended() {
		q.link.lingers = true
		q.link.stop() // or the library would read on, to use the connection again
	}
	if fault != nil {
		q.conn.server.faulty("a request met a fault of the gateway and was cut", q.conn, fault)
	}
	if fault != nil || q.aborted {
		_ = q.conn.Close()
		panic(http.ErrAbortHandler)
	}
}

// exchange runs the request through the same exchange as any other.
func (q *standardRequest) exchange(s *Server) {
	ex := s.takeExchange()
	defer s.giveExchange(ex)
	q.memory = s.takeReader()
	defer s.giveReader(q.memory)
	q.ex, q.link.ex = ex, ex
	ex.peer, ex.client, ex.watch = &q.conn.peer, q.conn.peer.client, &q.conn.watch
	ex.proto = "HTTP/1.1"
	ex.body, ex.down = q, q
	// An answer may begin before its request has ended.
	if err := q.control.EnableFullDuplex(); err != nil {
		panic(err)
	}
	refusal := q.link.wire.begin()
	if refusal == nil {
		refusal = q.fill()
	}
	if refusal != nil {
		s.refuseHead(ex, refusal, malformedReason(refusal))
		return
	}
	s.serveExchange(ex)
	if host := ex.verdict.Host; host != nil {
		q.link.keepAlive = host.Timeouts().KeepAlive
	}
	if ex.panicked {
		q.link.stop()
	}
}

// next reads a piece of the request's body.
func (q *standardRequest) next(buf []byte) (int, error) {
	n, err := q.read(buf)
	n, refusal := q.link.wire.body(n, err == io.EOF)
	switch {
	case refusal != nil:
		return 0, refusal
	case n > 0:
		// The last piece of a known length comes with its end. Otherwise an
		// error comes again.
		if err == io.EOF && q.r.ContentLength > 0 {
			q.isEnded.Store(true)
		}
		return n, nil
	case err == io.EOF:
		return 0, q.finish()
	case err == nil, q.link.readFailed.Load(), q.link.stopped.Load():
		return 0, err
	}
	return 0, errStandardBody
}

// finish ends the body unless its trailers are refused.
func (q *standardRequest) finish() error {
	for _, f := range q.trailers() {
		if !http1.IsToken(f.Name) || !http1.IsFieldValue(f.Value) || http1.IsForbiddenTrailer(f.Name) {
			return errStandardTrailer
		}
	}
	q.isEnded.Store(true)
	return io.EOF
}

func (q *standardRequest) ended() bool { return q.adapted.ended() && !q.link.stopped.Load() }

func (q *standardRequest) stop() { q.link.stop() }

// interim sends an interim answer. Having sent 100 here, the library does not
// send one of its own.
func (q *standardRequest) interim(status int, fields []http1.Field) error {
	if q.r.ProtoMinor == 0 {
		return nil
	}
	h := q.w.Header()
	q.set(fields)
	q.w.WriteHeader(status)
	clear(h)
	return q.link.failed()
}

// head begins the final answer.
func (q *standardRequest) head(status int, fields []http1.Field, framing http1.Framing, length int64) error {
	q.setHead(fields, framing, length)
	h := q.w.Header()
	bodied := framing != http1.NoBody && q.r.Method != http.MethodHead
	known := framing == http1.NoBody || framing == http1.ContentLength
	q.chunked = bodied && !known && q.r.ProtoMinor > 0
	if q.chunked {
		// The library would otherwise find out the length of a small body.
		h["Transfer-Encoding"] = []string{"chunked"}
	}
	if !q.keeps || bodied && !known && !q.chunked || !q.ended() || !q.conn.mayContinue() {
		h["Connection"] = []string{"close"}
	}
	q.sendHead(status)
	return nil
}

func (q *standardRequest) canTrailers() bool { return q.chunked }

// end completes the answer. The last chunk is the library's: it follows when
// the handler returns.
func (q *standardRequest) end(trailers []http1.Field) error {
	if !q.chunked {
		return q.flush()
	}
	q.setTrailers(trailers)
	return q.link.failed()
}

// abort closes the connection without a close_notify, as on the other plane.
func (q *standardRequest) abort() {
	q.aborted = true
	q.conn.abandon()
}

// switchProtocols takes the connection from the library and sends the 101.
func (q *standardRequest) switchProtocols(fields []http1.Field) error {
	if _, _, err := q.control.Hijack(); err != nil {
		return err
	}
	q.early = q.link.wire.tunnelled()
	_, err := q.link.send(appendSwitch(q.ex.work.out[:0], fields))
	return err
}

func (q *standardRequest) surrender() (client clientStream, early []byte, memory *requestReader) {
	return q.link.Conn, q.early, q.memory
}
