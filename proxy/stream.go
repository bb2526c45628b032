package proxy

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"gatehouse/internal/http1"
)

// stream is one request of an HTTP/2 connection as an exchange sees it: the
// body that it reads from, the way out of its answer, and what its watch acts
// on.
type stream struct {
	adapted
	watch     watch
	progress  clientTime
	answering atomic.Bool // the final head is out
}

// serveStream makes an exchange of a request that came over HTTP/2.
func (s *Server) serveStream(c *conn, w http.ResponseWriter, r *http.Request) {
	st := &stream{adapted: adapted{conn: c, w: w, r: r, control: http.NewResponseController(w)}}
	st.watch.clock, st.watch.conn, st.watch.target = s.clock, c, st
	st.watch.pace.slack = frameBytesMax
	st.progress.watch, st.time = &st.watch, &st.progress
	s.lifetime.open.add()
	s.registry.add(&st.watch)
	defer st.leave(s)
	c.served.Store(true)
	st.exchange(s)
}

// leave takes the stream off the books, contains a fault of ours, and ends an
// answer that is to look cut: the library answers this panic with RST_STREAM.
func (st *stream) leave(s *Server) {
	fault := recover()
	// After close the sweeper keeps its hands off w, which the library uses
	// again once the handler has returned.
	st.watch.close()
	s.registry.remove(&st.watch)
	s.lifetime.open.done()
	if fault != nil {
		s.faulty("a request over HTTP/2 met a fault of the gateway and was reset", st.conn, fault)
	}
	if fault != nil || st.aborted {
		panic(http.ErrAbortHandler)
	}
}

// exchange runs the request through the same exchange as HTTP/1.1.
func (st *stream) exchange(s *Server) {
	ex := s.takeExchange()
	defer s.giveExchange(ex)
	st.ex = ex
	ex.peer, ex.client, ex.watch = &st.conn.peer, st.conn.peer.client, &st.watch
	ex.body, ex.down = st, st
	if refusal := st.fill(ex); refusal != nil {
		s.refuseHead(ex, refusal, malformedReason(refusal))
		return
	}
	s.serveExchange(ex)
}

// wake ends a read of the body. An answer that has begun is reset: the client's
// window may be what it waits for.
func (st *stream) wake() {
	_ = st.control.SetReadDeadline(past)
	if st.answering.Load() {
		_ = st.control.SetWriteDeadline(past)
	}
}

// unwake is not possible: a stream that was woken stays so. Nothing was done to
// the other direction, so an answer can still be given.
func (st *stream) unwake() bool { return !st.answering.Load() }

func (st *stream) gone() bool { return st.r.Context().Err() != nil }

func (st *stream) sever() {
	_ = st.control.SetReadDeadline(past)
	_ = st.control.SetWriteDeadline(past)
}

// next reads a piece of the request's body.
func (st *stream) next(buf []byte) (int, error) {
	n, err := st.read(buf)
	st.watch.pace.read.Add(int64(n))
	switch {
	case n > 0:
		return n, nil // an error comes again
	case errors.Is(err, io.EOF):
		if err := st.boundTrailers(); err != nil {
			return 0, err
		}
		st.isEnded.Store(true)
		return 0, io.EOF
	case err == nil || errors.Is(err, os.ErrDeadlineExceeded), st.gone(), st.length() < 0:
		return 0, err
	}
	// The stream is open and its body ended badly: DATA frames and
	// content-length do not agree (RFC 9113 section 8.1.1).
	return 0, errBodyLength
}

func (st *stream) stop() { _ = st.r.Body.Close() }

// interim sends an interim answer. 100 is the library's: it sends one when the
// body is read first and the client expects it.
func (st *stream) interim(status int, fields []http1.Field) error {
	if status == http.StatusContinue {
		return nil
	}
	h := st.w.Header()
	st.set(fields)
	// With this field in it the library sends a copy of the map, without the
	// field. Otherwise it would send the map itself, and still be reading it
	// when WriteHeader returns because the stream was reset: a map that is
	// written meanwhile ends the process.
	h["Content-Length"] = []string{"0"}
	st.w.WriteHeader(status)
	clear(h)
	return st.r.Context().Err()
}

// head begins the final answer.
func (st *stream) head(status int, fields []http1.Field, framing http1.Framing, length int64) error {
	st.setHead(fields, framing, length)
	if !st.conn.mayContinue() {
		// The library turns this into a GOAWAY.
		st.w.Header()["Connection"] = []string{"close"}
	}
	st.answering.Store(true)
	if st.watch.expired() {
		// It ran out of time a moment ago, when wake still left the answer
		// alone; wake does not come again.
		return os.ErrDeadlineExceeded
	}
	st.time.begin(st.idle())
	defer st.time.end()
	st.sendHead(status)
	return st.r.Context().Err()
}

// write passes on a piece of the answer frame by frame: the client has its time
// for each, and one that is slow is seen in between.
func (st *stream) write(p []byte) error {
	for len(p) > 0 {
		frame := p[:min(len(p), frameBytesMax)]
		p = p[len(frame):]
		st.watch.pace.written.Add(int64(len(frame)))
		if err := st.adapted.write(frame); err != nil {
			return err
		}
	}
	return nil
}

func (st *stream) canTrailers() bool { return true }

// end completes the answer; the library sends what is held back, and the end,
// when the handler returns.
func (st *stream) end(trailers []http1.Field) error {
	st.setTrailers(trailers)
	return st.r.Context().Err()
}

func (st *stream) abort() { st.aborted = true }
