package compress

import (
	"bytes"

	"gatehouse/internal/http1"
)

// What the fields of an answer say is changed in place. New values are appended
// to made, which the caller keeps for as long as the fields.

var (
	nameVary     = []byte("Vary")
	nameEncoding = []byte("Content-Encoding")
	acceptCoding = []byte("Accept-Encoding")
	encodings    = [codingsEnd][]byte{Gzip: []byte(names[Gzip]), Brotli: []byte(names[Brotli]), Zstd: []byte(names[Zstd])}
)

// Vary says that the answer depends on Accept-Encoding, in the Vary that stands
// there or in a new one (RFC 9110 section 12.5.5). That holds for what fits,
// also where this client gets it uncoded.
func Vary(fields []http1.Field, made []byte) ([]http1.Field, []byte) {
	var last *http1.Field
	for i := range fields {
		f := &fields[i]
		if !http1.EqualFold(f.Name, "vary") {
			continue
		}
		if hasElement(f.Value, "*") || hasElement(f.Value, "accept-encoding") {
			return fields, made
		}
		last = f
	}
	if last == nil || len(bytes.Trim(last.Value, " \t,")) == 0 {
		return append(fields, http1.Field{Name: nameVary, Value: acceptCoding}), made
	}
	at := len(made)
	made = append(append(append(made, last.Value...), ", "...), acceptCoding...)
	last.Value = made[at:len(made):len(made)]
	return fields, made
}

// Rewrite says that the body is coded: Content-Encoding is added, Content-Length
// and Accept-Ranges go, which are about other bytes, and a strong ETag becomes a
// weak one, because it names those, too (RFC 9110 section 8.8.1).
func (c Coding) Rewrite(fields []http1.Field, made []byte) ([]http1.Field, []byte) {
	n := 0
	for i := range fields {
		f := fields[i]
		switch {
		case oneOf(f.Name, "content-length", "accept-ranges"):
			continue
		case http1.EqualFold(f.Name, "etag"):
			f.Value, made = weakened(f.Value, made)
		}
		fields[n] = f
		n++
	}
	return append(fields[:n], http1.Field{Name: nameEncoding, Value: encodings[c]}), made
}

// weakened returns a strong entity tag as a weak one, and anything else as it is.
func weakened(tag, made []byte) ([]byte, []byte) {
	if len(tag) == 0 || tag[0] != '"' {
		return tag, made
	}
	at := len(made)
	made = append(append(made, "W/"...), tag...)
	return made[at:len(made):len(made)], made
}

// NotModified brings a 304 into line with the answer that its client has: Vary,
// and the ETag that was made weak, if the request brings it back so. A cache
// looks for what it holds by the ETag of the 304, and by a strong one it would
// find nothing (RFC 9111 section 4.3.4).
func (r *Rules) NotModified(fields, request []http1.Field, made []byte) ([]http1.Field, []byte) {
	for i := range fields {
		f := &fields[i]
		if forbids(f) || http1.EqualFold(f.Name, "content-type") && !r.types.holds(f.Value) {
			return fields, made
		}
	}
	for i := range fields {
		if f := &fields[i]; http1.EqualFold(f.Name, "etag") && knowsWeak(request, f.Value) {
			f.Value, made = weakened(f.Value, made)
		}
	}
	return Vary(fields, made)
}

// knowsWeak reports whether If-None-Match has a strong tag in its weak form.
func knowsWeak(request []http1.Field, tag []byte) bool {
	for i := range request {
		f := &request[i]
		if !http1.EqualFold(f.Name, "if-none-match") {
			continue
		}
		for rest := f.Value; ; {
			_, after, found := bytes.Cut(rest, []byte("W/"))
			if !found {
				break
			}
			if bytes.HasPrefix(after, tag) {
				return true
			}
			rest = after
		}
	}
	return false
}
