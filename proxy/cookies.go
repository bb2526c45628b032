package proxy

import (
	"bytes"

	"gatehouse/internal/http1"
)

// addCookies adds our own cookies to the answer, and those of auth services. One
// that caches between us and the client may hand to others carries none: they
// would all be this client.
func (ex *exchange) addCookies() {
	w := ex.work
	place, moved := w.trip.round.Placed()
	// Who was placed at a backend that fails may be placed better.
	moved = moved && !absent(w.answer.Status)
	if !moved && ex.dealt == 0 && len(ex.cookies) == 0 || sharedAnswer(w.fields) {
		return
	}
	ex.addBucket()
	if moved {
		ex.addPlace(place)
	}
	w.fields = append(w.fields, ex.cookies...)
}

// sharedAnswer reports whether an answer may be stored by shared caches because
// it says so (RFC 9111 section 5.2.2).
func sharedAnswer(fields []http1.Field) bool {
	for i := range fields {
		f := &fields[i]
		if http1.EqualFold(f.Name, "cache-control") && (hasDirective(f.Value, "public") || hasDirective(f.Value, "s-maxage")) {
			return true
		}
	}
	return false
}

// hasDirective reports whether a Cache-Control field has a directive, whatever
// its argument.
func hasDirective(value []byte, name string) bool {
	for part := range bytes.SplitSeq(value, []byte{','}) {
		word, _, _ := bytes.Cut(part, []byte{'='})
		if http1.EqualFold(bytes.TrimSpace(word), name) {
			return true
		}
	}
	return false
}
