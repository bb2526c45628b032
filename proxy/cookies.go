package proxy

import (
	"bytes"
	"net/http"

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
	if len(ex.cookies) > 0 && !storable(w.fields, ex.s.clock.seconds()) {
		w.fields = append(w.fields, ex.cookies...)
	}
}

// storable reports whether an answer says for how long it may be used, fresh or stale
// (RFC 5861), and not that it is one client's: shared caches may keep it then, whatever
// cookies were sent for it and with it (RFC 9111 sections 3 and 7.3). A session is
// nothing to leave to that. Where text stands in quotes, private is not heard: it may
// be about some fields alone (5.2.2.7), or no directive at all.
func storable(fields []http1.Field, now int64) bool {
	fresh, said := false, false // by Cache-Control, which beats Expires
	var expires []byte
	for i := range fields {
		f := &fields[i]
		switch {
		case http1.EqualFold(f.Name, "expires"):
			expires = f.Value
		case !http1.EqualFold(f.Name, "cache-control"):
		case bytes.IndexByte(f.Value, '"') < 0 && (hasDirective(f.Value, "private") || hasDirective(f.Value, "no-store")):
			return false
		default:
			age, ok := directive(f.Value, "max-age")
			stale := hasDirective(f.Value, "stale-while-revalidate") || hasDirective(f.Value, "stale-if-error")
			fresh, said = fresh || stale || ok && string(age) != "0", said || ok
		}
	}
	if fresh || said || expires == nil {
		return fresh
	}
	at, err := http.ParseTime(string(expires))
	return err == nil && at.Unix() > now
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
	_, has := directive(value, name)
	return has
}

// directive returns the argument of a directive of a Cache-Control field, and
// whether it is there.
func directive(value []byte, name string) (argument []byte, has bool) {
	for part := range bytes.SplitSeq(value, []byte{','}) {
		word, argument, _ := bytes.Cut(part, []byte{'='})
		if http1.EqualFold(bytes.TrimSpace(word), name) {
			return bytes.Trim(argument, "\" \t"), true
		}
	}
	return nil, false
}
