package tenancy

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pathRules is what a host says about the paths that it takes.
type pathRules struct {
	encodedSlash, doubleSlash, backslash bool // paths.allow names them
	protected                            bool // a route of the host has access of its own
}

// Why a path is ambiguous: two programs that read it may see two things, so
// what is judged here might not be what a backend serves.
const (
	pathControl      = "it has a blank or a control byte"
	pathControlCode  = "it has an escaped control byte on a host with protected routes"
	pathNotUTF8      = "it has a byte that is no UTF-8 on a host with protected routes"
	pathFragment     = `it has "#"`
	pathPercent      = "a % is not followed by two hexadecimal digits"
	pathNUL          = "it has %00"
	pathEncodedSlash = "it has %2f"
	pathDoubleSlash  = "it has //"
	pathBackslash    = `it has \ or %5c`
	pathDots         = "it has a segment that is . or .."
	pathParameter    = `it has ";" on a host with protected routes`
	pathDoubleEscape = "it has an escaped escape on a host with protected routes"
	pathRewritten    = "behind the prefix that is rewritten it has another separator"
	pathOverlong     = "it has a byte sequence that some programs read as an ASCII character"
)

// ordinary are the bytes that mean the same to every program, wherever they
// stand in a path.
var ordinary = ordinaryBytes()

func ordinaryBytes() (table [256]bool) {
	for c := 0x21; c < 0x7f; c++ {
		table[c] = strings.IndexByte(`#%./;\`, byte(c)) < 0
	}
	return table
}

// ambiguity says why path is ambiguous to p, and "" if it is not. Escapes are
// judged by what they stand for.
func (p pathRules) ambiguity(path []byte) string {
	var seg segment
	var before octet
	for i := 0; i < len(path); {
		if ordinary[path[i]] {
			for i++; i < len(path) && ordinary[path[i]]; i++ {
			}
			seg.add('a')
			before = octet{}
			if i+1 < len(path) && path[i] == '/' && ordinary[path[i+1]] && !seg.dotted() {
				seg, before = segment{}, octet{value: '/', width: 1} // by far the most
				i++
			}
			continue
		}
		c := octetAt(path[i:])
		if why := p.judge(c, before, path[i:]); why != "" {
			return why
		}
		if c.value >= utf8.RuneSelf && !c.escaped {
			_, c.width = utf8.DecodeRune(path[i:])
			c.value = path[i+c.width-1]
		}
		i += c.width
		if c.value == '/' || c.value == '\\' {
			if seg.dotted() {
				return pathDots
			}
			seg = segment{}
		} else {
			seg.add(c.value)
		}
		before = c
	}
	if seg.dotted() {
		return pathDots
	}
	return ""
}

// judge says why the octet c, with which rest begins, makes a path ambiguous.
func (p pathRules) judge(c, before octet, rest []byte) string {
	switch {
	case c.width == 0:
		return pathPercent
	case c.value == 0 && c.escaped:
		return pathNUL
	case !c.escaped && (c.value <= ' ' || c.value == 0x7f):
		return pathControl
	case !c.escaped && c.value == '#':
		return pathFragment
	case overlong(before.value, c.value):
		return pathOverlong
	}
	if p.protected {
		if why := strictly(c, rest); why != "" {
			return why
		}
	}
	switch c.value {
	case '/':
		if c.escaped && !p.encodedSlash {
			return pathEncodedSlash
		}
		if !c.escaped && before.value == '/' && !before.escaped && !p.doubleSlash {
			return pathDoubleSlash
		}
	case '\\':
		if !p.backslash {
			return pathBackslash
		}
	}
	return ""
}

// strictly says why the octet c, with which rest begins, makes a path ambiguous
// where some routes are protected: there it must not be possible to write
// another path that a backend reads as theirs.
func strictly(c octet, rest []byte) string {
	switch {
	case c.value == ';':
		return pathParameter
	case c.value == '%' && escapesAgain(rest[c.width:]):
		return pathDoubleEscape
	case c.value < ' ' || c.value == 0x7f:
		return pathControlCode
	case c.value >= utf8.RuneSelf && !c.escaped:
		// Read as Latin-1, 0x85 and 0xa0 are blanks, which some programs trim.
		if char, size := utf8.DecodeRune(rest); char == utf8.RuneError && size == 1 {
			return pathNotUTF8
		}
	}
	return ""
}

// escapesAgain reports whether what follows an escaped "%" makes an escape of
// it, once it is undone itself: two hexadecimal digits, escaped or not.
func escapesAgain(rest []byte) bool {
	for range 2 {
		if len(rest) == 0 {
			return false
		}
		c := octetAt(rest)
		if !isHex(c.value) {
			return false
		}
		rest = rest[c.width:]
	}
	return true
}

// overlong reports whether two octets begin an ASCII character that is written
// in more bytes than it takes, or anything else that is (RFC 3629 section 3).
func overlong(first, second byte) bool {
	if second&0xc0 != 0x80 {
		return false
	}
	switch first {
	case 0xc0, 0xc1:
		return true
	case 0xe0:
		return second < 0xa0
	case 0xf0:
		return second < 0x90
	case 0xf8:
		return second < 0x88
	case 0xfc:
		return second < 0x84
	}
	return false
}

// octet is one byte of a path after its escape is undone.
type octet struct {
	value   byte
	escaped bool
	width   int // in the path: 1 or 3; 0 for a % without two digits
}

// octetAt returns the octet with which the path begins.
func octetAt(path []byte) octet {
	c := path[0]
	if c != '%' {
		return octet{value: c, width: 1}
	}
	if len(path) < 3 || !isHex(path[1]) || !isHex(path[2]) {
		return octet{value: c}
	}
	return octet{value: hexValue(path[1])<<4 | hexValue(path[2]), escaped: true, width: 3}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// hexValue returns the value of a hexadecimal digit.
func hexValue(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// segment looks for "." and ".." between separators. Everything that some
// backend takes for a separator counts as one, allowed or not, and what follows
// a ";" does not belong to the name: Tomcat reads "/..;/" as "/../".
type segment struct {
	dots      int
	parameter bool // a ";" was seen
	other     bool // it has a character that is no dot
}

func (s *segment) add(c byte) {
	switch {
	case c == ';':
		s.parameter = true
	case s.parameter:
	case c == '.':
		s.dots++
	default:
		s.other = true
	}
}

func (s *segment) dotted() bool { return !s.other && (s.dots == 1 || s.dots == 2) }

// prefixBytesMax bounds a route's prefix in the form in which paths are
// compared, so that matching looks at no more of a path than this and its
// buffer fits on the stack. The longest prefixes seen in practice have less
// than half.
const prefixBytesMax = 256

// pathBuffer holds as much of a path as matching looks at: the longest prefix,
// one byte for the boundary, and one escape or character more.
type pathBuffer [prefixBytesMax + 1 + utf8.UTFMax]byte

// comparable returns the beginning of path, reach bytes or a few more, in the
// form in which prefixes are compared: escapes are undone but those of "/", "\"
// and "%", whose meaning would change; of these the digits are in upper case.
// When fold is set, letters that differ in case only become the same. path must
// not be ambiguous. The result is in path or in buf.
func comparable(buf *pathBuffer, path []byte, fold bool, reach int) []byte {
	if !fold {
		if start := path[:min(reach, len(path))]; bytes.IndexByte(start, '%') < 0 {
			return start
		}
	}
	out := buf[:0]
	for len(path) > 0 && len(out) < reach {
		if raw := path[0]; ordinary[raw] {
			if fold {
				raw = lower(raw)
			}
			out = append(out, raw)
			path = path[1:]
			continue
		}
		c := octetAt(path)
		switch {
		case c.escaped && (c.value == '/' || c.value == '\\' || c.value == '%'):
			out = append(out, '%', upper(path[1]), upper(path[2]))
		case fold && c.value >= utf8.RuneSelf:
			out, c.width = appendFolded(out, path)
		case fold:
			out = append(out, lower(c.value))
		default:
			out = append(out, c.value)
		}
		path = path[max(c.width, 1):]
	}
	return out
}

// appendFolded appends the character with which path begins, folded, and
// returns how many bytes of path it took. Of all characters that differ in
// case only, the smallest stands for them; it is never longer than they are.
func appendFolded(out, path []byte) ([]byte, int) {
	var raw [utf8.UTFMax]byte
	var ends [utf8.UTFMax]int
	n, at := 0, 0
	for n < len(raw) && at < len(path) {
		c := octetAt(path[at:])
		if c.value < utf8.RuneSelf {
			break
		}
		at += c.width
		raw[n], ends[n] = c.value, at
		n++
	}
	char, size := utf8.DecodeRune(raw[:n])
	if char == utf8.RuneError {
		return append(out, raw[0]), ends[0]
	}
	smallest := smallestCase(char)
	if smallest < utf8.RuneSelf {
		return append(out, lower(byte(smallest))), ends[size-1]
	}
	return utf8.AppendRune(out, smallest), ends[size-1]
}

// smallestCase returns the smallest of the characters that differ from char in
// case only. The dotted and the dotless i of Turkish are among them, because to
// some programs their other case is the i of ASCII.
func smallestCase(char rune) rune {
	if char == 'İ' || char == 'ı' {
		return 'I'
	}
	smallest := char
	for next := unicode.SimpleFold(char); next != char; next = unicode.SimpleFold(next) {
		smallest = min(smallest, next)
	}
	return smallest
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}
