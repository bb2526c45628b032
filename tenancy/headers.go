package tenancy

import (
	"slices"
	"strings"

	"gatehouse/internal/conf"
)

// HeaderRules is what a route changes in the fields of requests and answers.
// Removals come first; then the fields that are set replace those of the same
// name. It is immutable: callers must not write to its slices.
type HeaderRules struct {
	RequestSet     []Field
	RequestRemove  []string // lower case
	ResponseSet    []Field
	ResponseRemove []string // lower case
}

// Field is one field to set, checked to be well-formed (RFC 9110 section 5).
type Field struct {
	Name  string // as written
	Lower string // Name in lower case
	Value string
}

const (
	// fieldValueBytesMax bounds a value that is set: it is sent with every
	// request, and backends commonly take heads of 8 KiB in all.
	fieldValueBytesMax = 4 << 10

	// fieldRulesMax bounds the fields of one direction that one level says, those
	// that a route has from all levels, and pass_headers: every exchange works
	// through them.
	fieldRulesMax = 64
)

// framingFields say where messages end and belong to one connection (RFC 9110
// section 7.6.1, RFC 9112 section 6). The gateway alone speaks for its
// connections.
var framingFields = []string{
	"connection", "content-length", "expect", "host", "http2-settings", "keep-alive",
	"proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade",
}

// identityFields say who a client is, how it came, or what it asked for. The
// gateway sets some and removes the others from requests; what a client writes
// there is never passed on.
var identityFields = []string{
	"cf-connecting-ip", "forwarded", "front-end-https", "proxy", "proxy-client-ip", "remote-addr", "remote-user",
	"true-client-ip", "via", "wl-proxy-client-ip", "x-auth-user", "x-client-ip", "x-cluster-client-ip",
	"x-mirrored", "x-real-ip", "x-remote-user", "x-request-id", "x-rewrite-url", "x-tenant",
}

// identityPrefixes begin the names of whole families of such fields.
var identityPrefixes = []string{
	"client-cert", "x-arr-", "x-forwarded", "x-original-", "x-ssl-", "ssl-client-",
}

// ownFields are the gateway's in answers.
var ownFields = map[string]string{
	"strict-transport-security": "write it as tls.hsts",
	"x-request-id":              "it is in every answer already",
}

// dropped reports whether clients' fields of that name are removed unless
// pass_headers keeps them; lowered is in lower case.
func dropped(lowered string) bool {
	return strings.ContainsAny(lowered, "_.") || lowered == "x-http-method-override" || carriesIdentity(lowered)
}

// carriesIdentity reports whether a field tells a backend who the client is or
// what it asked for. Programs that turn names into variables make the same of
// "-", "_" and whatever else is neither letter nor digit, so it counts as one
// here.
func carriesIdentity(lowered string) bool {
	alias := strings.Map(func(c rune) rune {
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' {
			return c
		}
		return '-'
	}, lowered)
	alias = strings.TrimPrefix(alias, "http-") // CGI puts it before every name
	return slices.Contains(identityFields, alias) || slices.Contains(framingFields, alias) ||
		slices.ContainsFunc(identityPrefixes, func(p string) bool { return strings.HasPrefix(alias, p) })
}

func checkHeaders(s *HeadersSpec, r *conf.Report) {
	if s == nil {
		return
	}
	checkFields(s.Request, "request", r)
	checkFields(s.Response, "response", r)
}

func checkFields(s *FieldsSpec, direction string, r *conf.Report) {
	if s == nil {
		return
	}
	if n := s.count(); n > fieldRulesMax {
		r.Fault(s.pos(), "", "%d fields of the %s are set or removed; expected at most %d", n, direction, fieldRulesMax)
		return
	}
	written := make(map[string]conf.Pos)
	for i := range s.Set {
		e := &s.Set[i]
		checkField(e.Key, e.Pos, direction, "set", r)
		checkTwice(written, e.Key, e.Pos, r)
		checkValue(e.Key, e.V, r)
	}
	for _, item := range s.Remove.Items {
		checkField(item.V, item.Pos, direction, "removed", r)
		checkTwice(written, item.V, item.Pos, r)
	}
}

// count returns how many fields s sets and removes.
func (s *FieldsSpec) count() int {
	if s == nil {
		return 0
	}
	return len(s.Set) + len(s.Remove.Items)
}

// count returns how many fields s sets and removes in both directions.
func (s *HeadersSpec) count() int {
	if s == nil {
		return 0
	}
	return s.Request.count() + s.Response.count()
}

// pos returns where something of s is written.
func (s *FieldsSpec) pos() conf.Pos {
	if len(s.Set) > 0 {
		return s.Set[0].Pos
	}
	return s.Remove.Pos
}

func checkTwice(written map[string]conf.Pos, name string, at conf.Pos, r *conf.Report) {
	lowered := strings.ToLower(name)
	if first, ok := written[lowered]; ok {
		r.Fault(at, "keep one of the two", "field %q stands here and at %s; case makes no difference", name, first)
		return
	}
	written[lowered] = at
}

// checkField judges the name of a field that is set or removed.
func checkField(name string, at conf.Pos, direction, verb string, r *conf.Report) {
	lowered := strings.ToLower(name)
	hint, own := ownFields[lowered]
	switch {
	case !isToken(name):
		r.Fault(at, "", "%q is not the name of a field; expected letters, digits and hyphens", name)
	case slices.Contains(framingFields, lowered):
		r.Fault(at, framingHint(lowered, direction), "field %q cannot be %s; it belongs to the connection, which is the gateway's", name, verb)
	case direction == "request" && carriesIdentity(lowered):
		r.Fault(at, "", "field %q cannot be %s; the gateway alone tells a backend who the client is", name, verb)
	case direction == "response" && own:
		r.Fault(at, hint, "field %q cannot be %s; the gateway sets it", name, verb)
	}
}

func framingHint(lowered, direction string) string {
	if lowered == "host" && direction == "request" {
		return "write host: backend beside the backend's url"
	}
	return ""
}

func checkValue(name string, value conf.At[string], r *conf.Report) {
	text := value.V
	switch {
	case len(text) > fieldValueBytesMax:
		r.Fault(value.Pos, "", "the value of %q has %d bytes; expected at most %d", name, len(text), fieldValueBytesMax)
	case strings.ContainsFunc(text, func(c rune) bool { return c < 0x20 || c == 0x7f }):
		r.Fault(value.Pos, "", "the value of %q has a control character; expected one line of text", name)
	case strings.TrimSpace(text) != text:
		r.Fault(value.Pos, "", "the value of %q begins or ends with a blank, which no field's value does", name)
	}
}

// isToken reports whether name is a token of RFC 9110 section 5.6.2.
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= lower(c) && lower(c) <= 'z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

func checkPassHeaders(names conf.List[string], r *conf.Report) {
	if n := len(names.Items); n > fieldRulesMax {
		r.Fault(names.Pos, "", "pass_headers names %d fields; expected at most %d", n, fieldRulesMax)
		return
	}
	for _, item := range names.Items {
		lowered := strings.ToLower(item.V)
		switch {
		case !isToken(item.V):
			r.Fault(item.Pos, "", "%q is not the name of a field; expected letters, digits and hyphens", item.V)
		case carriesIdentity(lowered):
			r.Fault(item.Pos, "", "field %q cannot be passed from clients: it says who or where a client is, or what it asked for", item.V)
		case !dropped(lowered):
			r.Warn(item.Pos, "remove it", "field %q is passed anyway; pass_headers keeps fields that are dropped otherwise", item.V)
		}
	}
}

// compileHeaders compiles merged rules once, wherever they are merged to.
func (b *builder) compileHeaders(s *HeadersSpec) *HeaderRules {
	if done, ok := b.rules[s]; ok || s == nil {
		return done
	}
	for _, fields := range []*FieldsSpec{s.Request, s.Response} {
		if n := fields.count(); n > fieldRulesMax && !b.overfull {
			b.overfull = true
			b.report.Fault(fields.pos(), "", "%d fields are set or removed, those of wider levels included; expected at most %d", n, fieldRulesMax)
		}
	}
	if b.overfull {
		return nil
	}
	b.rules[s] = s.compile()
	return b.rules[s]
}

// compile turns merged rules into lists; nil where nothing is changed.
func (s *HeadersSpec) compile() *HeaderRules {
	if s == nil {
		return nil
	}
	rules := new(HeaderRules)
	rules.RequestSet, rules.RequestRemove = s.Request.compile()
	rules.ResponseSet, rules.ResponseRemove = s.Response.compile()
	return rules
}

// compile lists what is set and removed. Where levels write a name in another
// case, the narrower one's, which stands later, holds.
func (s *FieldsSpec) compile() (set []Field, remove []string) {
	if s == nil {
		return nil, nil
	}
	for i := range s.Set {
		e := &s.Set[i]
		f := Field{Name: e.Key, Lower: strings.ToLower(e.Key), Value: e.V.V}
		set = slices.DeleteFunc(set, func(wider Field) bool { return wider.Lower == f.Lower })
		set = append(set, f)
	}
	for _, name := range s.Remove.Values() {
		remove = append(remove, strings.ToLower(name))
	}
	return set, remove
}

// passHeaders returns the merged pass_headers in lower case, sorted.
func (s *ExchangeSpec) passHeaders() []string {
	var names []string
	for _, name := range s.PassHeaders.Values() {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	return slices.Compact(names)
}
