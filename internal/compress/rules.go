package compress

import (
	"slices"
	"strconv"
	"strings"

	"gatehouse/internal/http1"
)

// Rules say which answers are compressed, and how. They are immutable; nil
// compresses nothing.
type Rules struct {
	codings []Coding // at least one
	types   *types
	min     int64
}

// String returns the codings as they are written.
func (r *Rules) String() string {
	var words []string
	for _, c := range r.codings {
		words = append(words, c.String())
	}
	return strings.Join(words, ", ")
}

// Key is the same for rules that say the same; "" for nil.
func (r *Rules) Key() string {
	if r == nil {
		return ""
	}
	return r.String() + ";" + strconv.FormatInt(r.min, 10) + ";" + r.types.key
}

// Like returns wider where that says the same, and else r: a file with thousands
// of routes does not hold as many copies.
func (r *Rules) Like(wider *Rules) *Rules {
	if r != nil && wider != nil && r.min == wider.min && r.types.key == wider.types.key && slices.Equal(r.codings, wider.codings) {
		return wider
	}
	return r
}

// Fits reports whether an answer may be coded, whoever asks: by its status, what
// its fields say, and the length of its body, -1 where it does not tell. Not
// what has a coding already, is a part (206), has a digest or a signature, which
// are over the very bytes, announces trailers, or forbids it (no-transform, RFC
// 9111 section 5.2.2.6).
func (r *Rules) Fits(status int, fields []http1.Field, length int64) bool {
	if length >= 0 && length < r.min || !hasWhole(status) {
		return false
	}
	fits := false
	for i := range fields {
		switch f := &fields[i]; {
		case http1.EqualFold(f.Name, "content-type"):
			fits = r.types.holds(f.Value)
		case forbids(f):
			return false
		}
	}
	return fits
}

// hasWhole reports whether an answer of this status has a body that is a whole
// representation: not 1xx, 204, 205, 206 and 304 (RFC 9110 section 15).
func hasWhole(status int) bool {
	switch status {
	case 204, 205, 206, 304:
		return false
	}
	return status >= 200
}

// forbids reports whether a field of an answer says that its bytes are to stay.
func forbids(f *http1.Field) bool {
	if len(f.Name) == 0 {
		return false
	}
	switch f.Name[0] | 0x20 {
	case 'c':
		return oneOf(f.Name, "content-encoding", "content-range", "content-digest", "content-md5") ||
			http1.EqualFold(f.Name, "cache-control") && hasElement(f.Value, "no-transform")
	case 'd':
		return http1.EqualFold(f.Name, "digest")
	case 'r':
		return http1.EqualFold(f.Name, "repr-digest")
	case 's':
		return oneOf(f.Name, "signature", "signature-input")
	case 't':
		return http1.EqualFold(f.Name, "trailer")
	}
	return false
}

func oneOf(name []byte, words ...string) bool {
	for _, w := range words {
		if http1.EqualFold(name, w) {
			return true
		}
	}
	return false
}
