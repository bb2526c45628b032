package http1

import "encoding/binary"

// tokenBytes and targetBytes are lookup tables; they are never written after
// the program has started.
var (
	tokenBytes  = tableOf(isTokenByte)
	targetBytes = tableOf(isTargetByte)
)

func tableOf(in func(byte) bool) (t [256]bool) {
	for c := range t {
		t[c] = in(byte(c))
	}
	return t
}

// isTokenByte is tchar of RFC 9110 section 5.6.2.
func isTokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}

// isTargetByte admits visible ASCII and bytes beyond it: browsers send |, [
// and the like unencoded, so the grammar of RFC 3986 would refuse real
// traffic. A fragment never belongs on the wire (RFC 9112 section 3.2).
func isTargetByte(c byte) bool { return c > ' ' && c != 0x7f && c != '#' }

// IsToken reports whether b is a token of RFC 9110 section 5.6.2: the form of
// methods and field names.
func IsToken(b []byte) bool {
	for _, c := range b {
		if !tokenBytes[c] {
			return false
		}
	}
	return len(b) > 0
}

// IsFieldValue reports whether b may stand as a field value: no control byte
// but the tab, bytes beyond ASCII as they are (RFC 9110 section 5.5). Blanks
// at the ends are not looked at.
func IsFieldValue(b []byte) bool {
	for len(b) >= 8 {
		if !plainWord(binary.LittleEndian.Uint64(b)) && !plainBytes(b[:8]) {
			return false
		}
		b = b[8:]
	}
	return plainBytes(b)
}

// plainWord reports whether none of eight bytes is below 0x20 or is 0x7f. It
// errs on the side of false, never of true.
func plainWord(w uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	deleted := w ^ (ones * 0x7f)
	return ((w-ones*0x20)&^w|(deleted-ones)&^deleted)&tops == 0
}

func plainBytes(b []byte) bool {
	for _, c := range b {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return true
}

// IsTarget reports whether b may stand as a request target: no blank, no
// control byte, no fragment, at least one byte. Its form is not looked at.
func IsTarget(b []byte) bool {
	for _, c := range b {
		if !targetBytes[c] {
			return false
		}
	}
	return len(b) > 0
}

// EqualFold reports whether name is lower without regard to the case of ASCII
// letters. lower must be in lower case. It does not allocate.
func EqualFold(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if lowerByte(c) != lower[i] {
			return false
		}
	}
	return true
}

// hasPrefixFold is EqualFold for the first bytes of name.
func hasPrefixFold(name []byte, lower string) bool {
	return len(name) >= len(lower) && EqualFold(name[:len(lower)], lower)
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}

// trimBlanks removes OWS (RFC 9110 section 5.6.3) from both ends.
func trimBlanks(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
