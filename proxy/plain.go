package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/tenancy"
)

const (
	// plainBufferBytes is what a request over plain HTTP usually fits into; it
	// is all that such a connection holds.
	plainBufferBytes = 2 << 10

	// plainHeadMax bounds the head: a browser that follows an old bookmark
	// sends its cookies for the host too.
	plainHeadMax = 16 << 10
)

// plainConn serves one connection of a plain HTTP listener: redirects to https,
// and answers to ACME challenges.
type plainConn struct {
	server *Server
	conn   *conn
	head   http1.RequestHead
	table  *tenancy.Table // that the request at hand was judged by
	buffer []byte         // what has come and not been dealt with
	answer []byte
	unread bool // the client may still be sending behind its last answer
}

// servePlain serves plain HTTP until the connection ends.
func (s *Server) servePlain(c *conn) {
	defer s.contain(c)
	p := plainConn{server: s, conn: c, buffer: make([]byte, 0, plainBufferBytes)}
	for p.one() {
	}
	if p.unread && c.watch.resume(lingerTime) {
		c.hearOut(p.buffer[:cap(p.buffer)])
	}
	_ = c.Close()
}

// one serves one request and reports whether another may follow.
func (p *plainConn) one() bool {
	n, err := p.read()
	var malformed *http1.Error
	if err != nil && !errors.As(err, &malformed) {
		return false
	}
	ex := p.server.takeExchange()
	defer p.server.giveExchange(ex)
	ex.peer, ex.client, ex.watch = &p.conn.peer, p.conn.peer.client, &p.conn.watch
	ex.started, ex.proto = time.Now(), "HTTP/1.1"
	ex.mintRef()
	more := p.serve(ex, malformed)
	p.server.finish(ex)
	p.unread = malformed != nil || p.head.HasBody() || n < len(p.buffer)
	p.buffer = p.buffer[:copy(p.buffer, p.buffer[n:])]
	return more
}

// read reads the head of a request and returns its length.
func (p *plainConn) read() (int, error) {
	timeouts := p.conn.peer.timeouts
	limits := p.conn.peer.limits.Request
	limits.HeadBytes = min(limits.HeadBytes, plainHeadMax)
	if !p.conn.watch.rest(timeouts.KeepAlive) {
		return 0, io.EOF
	}
	for began := false; ; {
		if len(p.buffer) > 0 {
			if !began && !p.conn.watch.wakeUp(timeouts.Header) {
				return 0, io.EOF
			}
			began = true
			n, err := p.head.Parse(p.buffer, limits)
			if !errors.Is(err, http1.ErrIncomplete) {
				return n, err
			}
		}
		if err := p.more(); err != nil {
			return 0, err
		}
	}
}

// more reads what has come into the buffer, which grows as far as a head may.
func (p *plainConn) more() error {
	if len(p.buffer) == cap(p.buffer) {
		grown := make([]byte, len(p.buffer), min(2*cap(p.buffer), plainHeadMax+1))
		copy(grown, p.buffer)
		p.buffer = grown
	}
	n, err := p.conn.Read(p.buffer[len(p.buffer):cap(p.buffer)])
	p.buffer = p.buffer[:len(p.buffer)+n]
	if n > 0 {
		return nil
	}
	return err
}

// serve answers one request and reports whether another may follow.
func (p *plainConn) serve(ex *exchange, malformed *http1.Error) (more bool) {
	p.conn.watch.arm(p.conn.peer.timeouts.Idle)
	answer := answerPage{ref: ex.ref[:], unix: p.server.clock.seconds()}
	proof, proves := "", false
	if malformed == nil {
		ex.fill(&p.head)
		if proof, proves = p.server.http01(ex); !proves {
			p.judge(ex)
		}
		answer.head = string(ex.method) == http.MethodHead
		// A body is not read: what follows it could not be found.
		more = p.head.KeepAlive && !p.head.HasBody() && p.conn.mayContinue()
	} else {
		ex.verdict = tenancy.Verdict{Reason: malformedReason(malformed), Status: malformed.Status}
		ex.detail = malformed.Text
	}
	ex.status, ex.reason = ex.verdict.Status, ex.verdict.Reason
	if proves {
		ex.status = http.StatusOK
	}
	if ex.verdict.Action == tenancy.Redirect {
		// 308 keeps the method (RFC 9110 section 15.4.9).
		ex.status = http.StatusPermanentRedirect
		answer.location = p.location(ex)
	}
	p.table = nil // not to be kept while the connection is idle
	answer.status, answer.close = ex.status, !more
	if proves {
		p.answer = appendProof(p.answer[:0], &answer, proof)
	} else {
		p.answer = appendPage(p.answer[:0], &answer)
	}
	if _, err := p.conn.Write(p.answer); err != nil {
		ex.status, ex.reason = tenancy.ClientGone.Status(), tenancy.ClientGone
		return false
	}
	return more
}

// malformedReason is why a head that the parser refuses is refused.
func malformedReason(e *http1.Error) tenancy.Reason {
	if e.Status == http.StatusMethodNotAllowed {
		return tenancy.MethodNotAllowed
	}
	return tenancy.BadRequest
}

// judge asks the table what to do with the request.
func (p *plainConn) judge(ex *exchange) {
	snap := p.server.snapshot()
	p.table, ex.table = snap.table, snap.table.Generation()
	ex.verdict = snap.table.Plain(&tenancy.Request{
		Client:    ex.client,
		Listener:  ex.peer.listener,
		Now:       p.server.clock.seconds(),
		Method:    ex.method,
		Authority: ex.authority,
		Path:      ex.path,
	}, nil)
	if ex.run = snap.of(ex.verdict.Tenant); ex.run != nil {
		ex.run.metrics.Begin()
	}
}

// location is the https address of what was asked for. It is built from the
// table and the request's path and query alone.
func (p *plainConn) location(ex *exchange) []byte {
	target := bytes.Clone(ex.path)
	if ex.hasQuery {
		target = append(append(target, '?'), ex.query...)
	}
	return p.table.AppendLocation(nil, ex.verdict.Host, ex.authority, target)
}
