package proxy

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"gatehouse/internal/http1"
)

// What is refused of a request that the standard library lets through.
var (
	errStandardHead    = &http1.Error{Status: http.StatusBadRequest, Text: "the head is not one that can be written down"}
	errStandardBody    = &http1.Error{Status: http.StatusBadRequest, Text: "the body is malformed"}
	errStandardTrailer = &http1.Error{Status: http.StatusBadRequest, Text: "a trailer that must not stand there"}
)

// fill takes over what the library has understood. It is written down as a head
// in its one plain form and read by our own parser: whatever that refuses is
// refused here, as far as the library still shows it.
func (q *standardRequest) fill() *http1.Error {
	m := q.memory
	text, count := appendHead(m.small[:0], q.r)
	n, err := m.head.Parse(text, q.conn.peer.limits.Request)
	var refused *http1.Error
	switch {
	case errors.As(err, &refused):
		return refused
	case err != nil || n != len(text) || len(m.head.Fields) != count:
		return errStandardHead
	case m.head.AbsoluteScheme == "http":
		return errPlainTarget
	}
	q.ex.fill(&m.head)
	q.keeps = m.head.KeepAlive
	q.isEnded.Store(!m.head.HasBody())
	return nil
}

// appendHead writes down a request that the library has read, and counts its
// fields. Their order and the case of their names are lost. Host, Trailer and
// Transfer-Encoding are taken from where the library has put them.
func appendHead(b []byte, r *http.Request) (head []byte, fields int) {
	b = append(append(b, r.Method...), ' ')
	b = append(append(b, r.RequestURI...), ' ')
	b = append(append(b, r.Proto...), "\r\n"...)
	b, fields = http1.AppendFieldString(b, "Host", r.Host), 1
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		for _, value := range r.Header[name] {
			b = http1.AppendFieldString(b, name, value)
			fields++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Trailer)) {
		b = http1.AppendFieldString(b, "Trailer", name)
		fields++
	}
	for _, coding := range r.TransferEncoding {
		b = http1.AppendFieldString(b, "Transfer-Encoding", coding)
		fields++
	}
	return http1.AppendFieldsEnd(b), fields
}
