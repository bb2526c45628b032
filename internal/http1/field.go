package http1

import "bytes"

// Field is one field line. Name and Value are views into the buffer that was
// parsed: the name as it was written, the value without blanks around it. They
// hold as long as the caller leaves that buffer alone.
type Field struct{ Name, Value []byte }

// lines finds the line ends of a head while it arrives, looking at each byte
// once. It remembers offsets, not slices, so the caller may move its buffer
// between calls.
type lines struct {
	next   int   // the first byte not looked at yet
	start  int   // where the line at hand begins
	ends   []int // behind the CRLF of each line so far
	begins int   // where the first line begins: 0, or 2 after an empty line
}

func (l *lines) reset() { *l = lines{ends: l.ends[:0]} }

// scan goes on where the last call ended. It returns the length of the head
// when the empty line is there, 0 when more is needed. The first line may have
// firstMax bytes, at most fields lines may follow it. What is refused does not
// depend on how the bytes were split.
func (l *lines) scan(buf []byte, firstMax, fields int) (int, *rule) {
	for {
		i := bytes.IndexByte(buf[l.next:], '\n')
		lf := l.next + i
		if i < 0 {
			lf = len(buf) - 1
		}
		if len(l.ends) == 0 && lf+1-l.begins > firstMax {
			return 0, errTargetLong
		}
		l.next = lf + 1
		if i < 0 {
			return 0, nil
		}
		if lf == 0 || buf[lf-1] != '\r' {
			return 0, errBareLF
		}
		empty := lf-1 == l.start
		switch {
		case empty && len(l.ends) > 0:
			return l.next, nil
		case empty && l.begins > 0:
			return 0, errEmptyStart
		case empty:
			l.begins = l.next
		case len(l.ends) > fields:
			return 0, errFieldsMany
		default:
			l.ends = append(l.ends, l.next)
		}
		l.start = l.next
	}
}

// first returns the first line without its CRLF.
func (l *lines) first(buf []byte) []byte { return buf[l.begins : l.ends[0]-2] }

// parseField judges one line without its CRLF (RFC 9112 section 5.1).
func parseField(line []byte) (Field, *rule) {
	end := 0
	for end < len(line) && tokenBytes[line[end]] {
		end++
	}
	if end == len(line) || line[end] != ':' || end == 0 {
		return Field{}, whyNoName(line, end)
	}
	value := trimBlanks(line[end+1:])
	if !IsFieldValue(value) {
		return Field{}, errFieldValue
	}
	return Field{Name: line[:end:end], Value: value[:len(value):len(value)]}, nil
}

// whyNoName names what is wrong with a line whose first i bytes only are a
// token.
func whyNoName(line []byte, i int) *rule {
	switch {
	case isBlank(line[0]):
		return errFold
	case bytes.IndexByte(line, ':') < 0:
		return errNoColon
	case i > 0 && bytes.TrimLeft(line[i:], " \t")[0] == ':':
		return errBeforeColon
	}
	return errFieldName
}

// kind tells the few fields that this package reads.
type kind uint8

const (
	otherField kind = iota
	hostField
	connectionField
	contentLengthField
	transferEncodingField
	expectField
	upgradeField
	teField
)

func kindOf(name []byte) kind {
	switch len(name) {
	case 2:
		return kindIf(name, "te", teField)
	case 4:
		return kindIf(name, "host", hostField)
	case 6:
		return kindIf(name, "expect", expectField)
	case 7:
		return kindIf(name, "upgrade", upgradeField)
	case 10:
		return kindIf(name, "connection", connectionField)
	case 14:
		return kindIf(name, "content-length", contentLengthField)
	case 17:
		return kindIf(name, "transfer-encoding", transferEncodingField)
	}
	return otherField
}

func kindIf(name []byte, lower string, k kind) kind {
	if EqualFold(name, lower) {
		return k
	}
	return otherField
}

// element cuts the first element off a comma-separated list and trims it
// (RFC 9110 section 5.6.1). Empty elements come as empty slices.
func element(list []byte) (first, rest []byte) {
	if i := bytes.IndexByte(list, ','); i >= 0 {
		return trimBlanks(list[:i]), list[i+1:]
	}
	return trimBlanks(list), nil
}
