package compress

import (
	"bytes"
	"slices"
	"strings"

	"gatehouse/internal/http1"
)

// types are media types, in lower case.
type types struct {
	exact    map[string]bool
	suffixes []string // "+json"
	texts    bool     // "text/*"
	key      string   // all of them as written
}

// allTexts is the only pattern by the first part: others mix what compresses
// with what is compressed.
const allTexts = "text/*"

// builtinTypes is what compresses by more than half, of what applications send.
var builtinTypes = newTypes([]string{
	allTexts, "+json", "+xml",
	"application/json", "application/x-ndjson", "application/javascript", "application/x-javascript",
	"application/xml", "application/xml-dtd", "application/graphql", "application/sql", "application/rtf", "application/wasm",
	"application/yaml", "application/x-yaml", "application/toml", "application/x-www-form-urlencoded",
	"application/vnd.ms-fontobject", "font/ttf", "font/otf", "font/collection", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon",
})

func newTypes(list []string) *types {
	t := &types{exact: make(map[string]bool, len(list)), key: strings.ToLower(strings.Join(list, ","))}
	for _, name := range list {
		switch name = strings.ToLower(name); {
		case name == allTexts:
			t.texts = true
		case strings.HasPrefix(name, "+"):
			t.suffixes = append(t.suffixes, name)
		default:
			t.exact[name] = true
		}
	}
	return t
}

// compressed are types that a coding makes longer, or hardly shorter.
var compressed = []string{
	"application/gzip", "application/x-gzip", "application/zip", "application/zstd", "application/x-7z-compressed",
	"application/x-bzip2", "application/x-xz", "application/vnd.rar", "application/x-rar-compressed", "application/java-archive",
	"application/pdf", "application/epub+zip", "font/woff", "font/woff2",
	"image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/heic", "image/jxl",
}

// typeFault says what is wrong with an entry of types in lower case; "" for
// nothing.
func typeFault(name string) string {
	first, second, slash := strings.Cut(name, "/")
	_, isSuffix := strings.CutPrefix(name, "+")
	switch {
	case len(name) > typeBytesMax:
		return "is no media type; they are shorter"
	case name == allTexts:
		return ""
	case isSuffix && len(name) > 1 && http1.IsToken([]byte(name)):
		return ""
	case !slash || !http1.IsToken([]byte(first)) || !http1.IsToken([]byte(second)) || strings.Contains(name, "*"):
		return `is no media type; expected one like "text/html", "text/*" or "+json"`
	case isLive([]byte(name)):
		return "is not compressed: events and gRPC go out as they come"
	case first == "audio" || first == "video" || slices.Contains(compressed, name):
		return "is compressed in itself"
	}
	return ""
}

// isLive reports whether messages are to go out one by one: events, which
// intermediaries must not hold up, and gRPC, which codes its messages itself.
func isLive(name []byte) bool {
	return string(name) == "text/event-stream" || bytes.HasPrefix(name, []byte("application/grpc"))
}

// holds reports whether a Content-Type is one of them.
func (t *types) holds(value []byte) bool {
	var room [typeBytesMax]byte
	name, _, _ := bytes.Cut(value, []byte{';'})
	name = bytes.Trim(name, " \t")
	if len(name) == 0 || len(name) > len(room) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		room[i] = c
	}
	name = room[:len(name)]
	switch {
	case isLive(name):
		return false
	case t.texts && bytes.HasPrefix(name, []byte("text/")), t.exact[string(name)]:
		return true
	}
	for _, s := range t.suffixes {
		if len(name) > len(s) && string(name[len(name)-len(s):]) == s {
			return true
		}
	}
	return false
}
