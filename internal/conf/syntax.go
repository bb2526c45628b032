package conf

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxLocateBytes bounds the files in which the exact place of a syntax fault
// is searched, because that parses the file up to forty times: half a second at
// this size. In larger files the line is what the library says.
const maxLocateBytes = 256 << 10

// syntaxFault turns an error of the library into a finding.
func syntaxFault(file string, text []byte, err error, r *Report) {
	message, line := splitSyntaxError(err)
	line = min(max(line, 1), bytes.Count(text, []byte("\n"))+1)
	p := Pos{file, line, 1}
	var culprit rune
	if len(text) <= maxLocateBytes {
		if offset := locate(text, message, line); offset >= 0 {
			p = posAt(file, text, offset)
			culprit, _ = utf8.DecodeRune(text[offset:])
		}
	}
	said, hint := reword(message, culprit)
	r.Fault(p, hint, "%s", said)
}

var syntaxLine = regexp.MustCompile(`^line ([0-9]+): `)

// splitSyntaxError returns the library's message and its line, or 0. What its
// parser, as opposed to its scanner, complains of, it counts from 0.
func splitSyntaxError(err error) (message string, line int) {
	message = strings.TrimPrefix(err.Error(), "yaml: ")
	if m := syntaxLine.FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	switch message {
	case expectedKey, expectedDash, expectedComma, expectedCommaInMap, expectedContent, expectedDocument:
		line++
	}
	return message, line
}

// locate returns the offset of the character at which the library gives up, or
// -1. The library tells a line only, and often that where the surrounding map
// begins. But it reads from left to right: the culprit is the last character
// of the shortest beginning of the text that fails with the same message.
func locate(text []byte, message string, line int) int {
	ends := lineEnds(text)
	fails := func(end int) bool { return syntaxMessage(text[:end]) == message }
	last := min(line, len(ends)) - 1
	switch {
	case last > 0 && fails(ends[last-1]):
		// Something that was opened in the first line is still open.
		last = 0
	case !fails(ends[last]):
		rest := ends[last+1:]
		last += 1 + sort.Search(len(rest)-1, func(i int) bool { return fails(rest[i]) })
		if last >= len(ends) {
			return -1
		}
	}
	start := 0
	if last > 0 {
		start = ends[last-1]
	}
	length := sort.Search(ends[last]-start, func(n int) bool { return fails(start + n + 1) })
	offset := start + length
	if offset >= len(text) || !fails(offset+1) {
		return -1
	}
	return startOfToken(text, offset, message)
}

// startOfToken goes back from the character at which the library gives up to
// where the word begins that it is in, or to the bracket that is open.
func startOfToken(text []byte, offset int, message string) int {
	if name, ok := unknownAnchor(message); ok {
		return max(offset-len(name), 0)
	}
	switch message {
	case expectedComma, expectedCommaInMap:
		return max(bytes.LastIndexAny(text[:offset], "[{"), 0)
	case expectedKey, expectedDash, expectedColon:
		for offset > 0 && strings.IndexByte(wordBytes, text[offset-1]) >= 0 {
			offset--
		}
	}
	for offset > 0 && !utf8.RuneStart(text[offset]) {
		offset--
	}
	return offset
}

const wordBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./"

// lineEnds returns the offset behind each line of text.
func lineEnds(text []byte) []int {
	var ends []int
	for i, c := range text {
		if c == '\n' {
			ends = append(ends, i+1)
		}
	}
	if len(ends) == 0 || ends[len(ends)-1] < len(text) {
		ends = append(ends, len(text))
	}
	return ends
}

// syntaxMessage returns what the library has to say about text, or "".
func syntaxMessage(text []byte) string {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		switch err := decodeNode(dec, &doc); {
		case errors.Is(err, io.EOF):
			return ""
		case err != nil:
			message, _ := splitSyntaxError(err)
			return message
		}
	}
}
