package proxy

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gatehouse/internal/http1"
)

// adapted is a request that the standard library's server has read, as an
// exchange sees it: what is the same over HTTP/2 and over HTTP/1.1 of the
// standard data plane.
type adapted struct {
	conn    *conn
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	time    *clientTime
	ex      *exchange

	isEnded atomic.Bool // the body has been read to its end
	aborted bool        // the answer is to look cut
}

// idle is how long the client may let a piece of a body wait.
func (a *adapted) idle() time.Duration {
	if route := a.ex.verdict.Route; route != nil {
		return route.Timeouts().Idle
	}
	return a.conn.peer.timeouts.Idle
}

// read reads a piece of the request's body within the idle time.
func (a *adapted) read(buf []byte) (int, error) {
	a.time.beginRead(a.idle())
	defer a.time.endRead()
	return a.r.Body.Read(buf)
}

func (a *adapted) length() int64 { return a.r.ContentLength }

// trailers returns the request's trailers.
func (a *adapted) trailers() []http1.Field { return appendFields(nil, a.r.Trailer) }

// errTrailers refuses trailers that lie in memory already and are to go no
// further.
var errTrailers = &http1.Error{Status: http.StatusRequestHeaderFieldsTooLarge, Text: "too many trailers, or too long ones"}

// boundTrailers holds the request's trailers to their limits.
func (a *adapted) boundTrailers() error {
	limits := &a.conn.peer.limits.Request
	fields, size := 0, len(crlf)
	for name, values := range a.r.Trailer {
		for _, value := range values {
			fields++
			size += len(name) + len(": \r\n") + len(value)
		}
	}
	if fields > limits.Fields || size > limits.TrailerBytes {
		return errTrailers
	}
	return nil
}

func (a *adapted) ended() bool { return a.isEnded.Load() }

// set puts fields into the header map, beside what stands there.
func (a *adapted) set(fields []http1.Field) {
	h := a.w.Header()
	for _, f := range fields {
		name := http.CanonicalHeaderKey(string(f.Name))
		if h[name] != nil {
			h[name] = append(h[name], string(f.Value))
		} else {
			h[name] = []string{string(f.Value)}
		}
	}
}

// setHead puts the fields of a final answer into the header map.
func (a *adapted) setHead(fields []http1.Field, framing http1.Framing, length int64) {
	h := a.w.Header()
	h["Content-Type"] = nil // the library would guess one where there is none
	a.set(fields)
	if framing == http1.ContentLength {
		h["Content-Length"] = []string{string(http1.AppendInt(nil, length))}
	}
}

// sendHead lets the library have the final head.
func (a *adapted) sendHead(status int) {
	a.w.WriteHeader(status)
	clear(a.w.Header()) // the library would take what a Trailer field names for a trailer
}

func (a *adapted) write(p []byte) error {
	a.time.begin(a.idle())
	defer a.time.end()
	_, err := a.w.Write(p)
	return err
}

func (a *adapted) flush() error {
	a.time.begin(a.idle())
	defer a.time.end()
	return a.control.Flush()
}

// setTrailers leaves the trailers with the library, which sends them when the
// handler returns.
func (a *adapted) setTrailers(trailers []http1.Field) {
	h := a.w.Header()
	for _, f := range trailers {
		h.Add(http.TrailerPrefix+string(f.Name), string(f.Value))
	}
}

// appendFields appends the fields of a header map, sorted by name: their order
// on the wire is lost.
func appendFields(fields []http1.Field, h http.Header) []http1.Field {
	first := len(fields)
	for name, values := range h {
		for _, value := range values {
			fields = append(fields, http1.Field{Name: []byte(name), Value: []byte(value)})
		}
	}
	slices.SortStableFunc(fields[first:], func(a, b http1.Field) int {
		return strings.Compare(string(a.Name), string(b.Name))
	})
	return fields
}
