package proxy

import (
	"errors"
	"io"
	"net/http"

	"gatehouse/internal/http1"
)

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
	a.client.conn.abandon()
}
