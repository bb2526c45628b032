package http1

// Framing is how the end of a body is found (RFC 9112 section 6.3).
type Framing uint8

// The framings.
const (
	NoBody        Framing = iota // nothing follows the head
	ContentLength                // as many bytes as announced, which may be 0
	Chunked                      // chunks, see [ChunkDecoder]
	UntilClose                   // until the connection ends; responses only
)

// String returns the name of the framing.
func (f Framing) String() string {
	switch f {
	case NoBody:
		return "NoBody"
	case ContentLength:
		return "ContentLength"
	case Chunked:
		return "Chunked"
	case UntilClose:
		return "UntilClose"
	}
	return "Framing(?)"
}

// framing gathers what the fields of one message say about its body.
type framing struct {
	length  int64
	lengths bool // Content-Length stands there
	chunked bool // Transfer-Encoding stands there, and is chunked
}

func (f *framing) addLength(value []byte) *rule {
	if f.lengths {
		return errLengthTwice
	}
	if len(value) == 0 || len(value) > contentLengthDigitsMax {
		return errLengthForm
	}
	n := int64(0)
	for _, c := range value {
		if !isDigit(c) {
			return errLengthForm
		}
		n = n*10 + int64(c-'0')
	}
	f.length, f.lengths = n, true
	return nil
}

func (f *framing) addCoding(value []byte) *rule {
	if f.chunked || !EqualFold(value, "chunked") {
		return errCoding
	}
	f.chunked = true
	return nil
}

// check refuses what contradicts itself (RFC 9112 section 6.1: a coding beside
// a length, or in HTTP/1.0, is faulty framing and very likely an attack).
func (f *framing) check(minor uint8) *rule {
	switch {
	case f.chunked && f.lengths:
		return errLengthAndCode
	case f.chunked && minor == 0:
		return errCodingIn10
	}
	return nil
}

// body says which body follows when neither method nor status forbids one;
// otherwise names what holds when no field says anything. A length that is not
// known is -1.
func (f *framing) body(otherwise Framing) (Framing, int64) {
	switch {
	case f.chunked:
		return Chunked, -1
	case f.lengths:
		return ContentLength, f.length
	case otherwise == UntilClose:
		return UntilClose, -1
	}
	return NoBody, 0
}
