package conf

import "unicode/utf8"

// checkCharacters refuses text that is not UTF-8 or has characters that have
// no place in a table, which the library would report without a line.
func checkCharacters(file string, text []byte, r *Report) bool {
	for i := 0; i < len(text); {
		if c := text[i]; 0x20 <= c && c < 0x7f || c == '\n' || c == '\t' {
			i++
			continue
		}
		c, size := utf8.DecodeRune(text[i:])
		switch {
		case c == utf8.RuneError && size == 1:
			r.Fault(posAt(file, text, i), "save the file as UTF-8", "byte 0x%02x is not UTF-8; expected text in UTF-8", text[i])
			return false
		case c == '\r' && (i+1 == len(text) || text[i+1] != '\n'), !isText(c):
			r.Fault(posAt(file, text, i), "remove it", "control character %U; expected text", c)
			return false
		}
		i += size
	}
	return true
}

// isText reports whether c may stand in a table. Beyond the characters that
// YAML forbids (YAML 1.2.2, 5.1), those are left out that it once took for line
// breaks and editors do not: with them, no two programs agree on line numbers.
func isText(c rune) bool {
	switch {
	case c < 0x20:
		return c == '\r'
	case c < 0xa0:
		return c < 0x7f
	}
	return c != '\u2028' && c != '\u2029' && c != 0xfffe && c != 0xffff
}

// posAt returns the position of text[offset].
func posAt(file string, text []byte, offset int) Pos {
	line, start := 1, 0
	for i, c := range text[:offset] {
		if c == '\n' {
			line, start = line+1, i+1
		}
	}
	return Pos{file, line, utf8.RuneCount(text[start:offset]) + 1}
}
