package tenancy_test

import (
	"net/netip"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// twin is the slow and obvious reading of a small table: what a Table must
// decide, by loops over what is written.
type twin struct {
	hosts []twinHost
}

// twinHost is a host, what its tenant and it admit, and its routes.
type twinHost struct {
	name    string // or "*.name"
	tenant  string
	levels  []twinList
	routes  []twinRoute
	allowed map[string]bool // of paths.allow
}

type twinRoute struct {
	prefix string
	level  twinList // nil: no access of its own
}

// twinList is a list of prefixes; nil admits everybody.
type twinList []netip.Prefix

func (l twinList) admits(a netip.Addr) bool {
	for _, p := range l {
		if p.Contains(a) {
			return true
		}
	}
	return l == nil
}

// lookup finds the host of a name as a client writes it.
func (w *twin) lookup(authority string) *twinHost {
	name := strings.ToLower(authority)
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		name = name[:i]
	}
	name = strings.TrimSuffix(name, ".")
	for i := range w.hosts {
		if w.hosts[i].name == name {
			return &w.hosts[i]
		}
	}
	for i := range w.hosts {
		label, parent, ok := strings.Cut(name, ".")
		if ok && label != "" && w.hosts[i].name == "*."+parent {
			return &w.hosts[i]
		}
	}
	return nil
}

// decide says what happens to a request for h: "forward PREFIX" or a reason.
func (h *twinHost) decide(client netip.Addr, path string) string {
	if !h.levels[0].admits(client) {
		return "ip_not_allowed"
	}
	protected := false
	for _, r := range h.routes {
		protected = protected || r.level != nil
	}
	if h.ambiguous(path, protected) {
		return "ambiguous_path"
	}
	plain := canonical(path)
	chosen := ""
	admitted := h.levels[1].admits(client)
	for _, r := range h.routes {
		prefix, subject := canonical(r.prefix), plain
		if r.level != nil {
			prefix, subject = fold(prefix), fold(subject)
		}
		prefix = strings.TrimSuffix(prefix, "/")
		if subject != prefix && !strings.HasPrefix(subject, prefix+"/") {
			continue
		}
		if len(r.prefix) > len(chosen) {
			chosen = r.prefix
		}
		admitted = admitted && r.level.admits(client)
	}
	switch {
	case chosen == "":
		return "no_route"
	case !admitted:
		return "ip_not_allowed"
	}
	return "forward " + chosen
}

func (h *twinHost) ambiguous(path string, protected bool) bool {
	undone, ok := undo(path)
	if !ok {
		return true
	}
	lower := strings.ToLower(path)
	for _, c := range []byte(path) {
		if c <= 0x20 || c == 0x7f || c == '#' {
			return true
		}
	}
	switch {
	case strings.Contains(lower, "%00"),
		strings.Contains(lower, "%2f") && !h.allowed["encoded_slash"],
		strings.Contains(path, "//") && !h.allowed["double_slash"],
		strings.Contains(undone, `\`) && !h.allowed["backslash"],
		protected && strings.Contains(undone, ";"):
		return true
	}
	const digits = "0123456789abcdefABCDEF"
	for i := 0; protected && i+2 < len(undone); i++ {
		if undone[i] == '%' && strings.IndexByte(digits, undone[i+1]) >= 0 && strings.IndexByte(digits, undone[i+2]) >= 0 {
			return true
		}
	}
	if protected && strings.ContainsFunc(undone, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return true
	}
	if raw := regexp.MustCompile("%[0-9a-fA-F]{2}").ReplaceAllString(path, "/"); protected && !utf8.ValidString(raw) {
		return true
	}
	if overlongForms.MatchString(latin1(undone)) {
		return true
	}
	for _, segment := range strings.FieldsFunc(undone, func(c rune) bool { return c == '/' || c == '\\' }) {
		segment, _, _ = strings.Cut(segment, ";")
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// overlongForms are how the encodings of two bytes to six begin that are longer
// than they need be.
var overlongForms = regexp.MustCompile(`[\xc0\xc1][\x80-\xbf]|\xe0[\x80-\x9f]|\xf0[\x80-\x8f]|\xf8[\x80-\x87]|\xfc[\x80-\x83]`)

// latin1 makes a character of each byte.
func latin1(s string) string {
	runes := make([]rune, len(s))
	for i := range len(s) {
		runes[i] = rune(s[i])
	}
	return string(runes)
}

// undo undoes all escapes; false if one is malformed.
func undo(path string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		if i+2 >= len(path) {
			return "", false
		}
		hi := strings.IndexByte("0123456789abcdef", path[i+1]|0x20)
		lo := strings.IndexByte("0123456789abcdef", path[i+2]|0x20)
		if hi < 0 || lo < 0 || path[i+1] < '0' || path[i+2] < '0' {
			return "", false
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	return b.String(), true
}

// canonical undoes the escapes that do not change what a path means.
func canonical(path string) string {
	for _, keep := range []string{"%2f", "%5c", "%25"} {
		path = strings.ReplaceAll(path, keep, "\x00"+keep[1:])
		path = strings.ReplaceAll(path, strings.ToUpper(keep), "\x00"+keep[1:])
		if upper := "%" + strings.ToUpper(keep[1:2]) + keep[2:]; upper != keep {
			path = strings.ReplaceAll(path, upper, "\x00"+keep[1:])
		}
	}
	undone, _ := undo(path)
	return undone
}

// fold makes letters that differ in case only the same.
func fold(s string) string {
	return strings.Map(func(c rune) rune {
		if c == 'İ' || c == 'ı' {
			return 'i'
		}
		smallest := c
		for next := unicode.SimpleFold(c); next != c; next = unicode.SimpleFold(next) {
			smallest = min(smallest, next)
		}
		return unicode.ToLower(smallest)
	}, s)
}
