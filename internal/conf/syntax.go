package conf

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// checkCharacters refuses text that is not UTF-8 or has characters that YAML
// does not allow (YAML 1.2.2, 5.1), which the library reports without a line.
func checkCharacters(file string, text []byte, r *Report) bool {
	line, col := 1, 1
	for rest := text; len(rest) > 0; col++ {
		c, size := utf8.DecodeRune(rest)
		switch {
		case c == utf8.RuneError && size == 1:
			r.Fault(Pos{file, line, col}, "save the file as UTF-8", "byte 0x%02x is not UTF-8; expected text in UTF-8", rest[0])
			return false
		case !allowedCharacter(c):
			r.Fault(Pos{file, line, col}, "remove it, or write it as an escape in double quotes", "control character %U; expected text", c)
			return false
		}
		rest = rest[size:]
		if c == '\n' {
			line, col = line+1, 0
		}
	}
	return true
}

func allowedCharacter(c rune) bool {
	switch {
	case c < 0x20:
		return c == '\t' || c == '\n' || c == '\r'
	case c < 0xa0:
		return c < 0x7f || c == 0x85
	}
	return c != 0xfffe && c != 0xffff
}

var syntaxLine = regexp.MustCompile(`^line ([0-9]+): `)

// syntaxFault turns an error of the library into a finding.
func syntaxFault(file string, text []byte, err error, r *Report) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if m := syntaxLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	line = min(max(line, 1), bytes.Count(text, []byte("\n"))+1)
	r.Fault(Pos{file, line, 1}, "", "not YAML: %s", message)
}
