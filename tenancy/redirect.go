package tenancy

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"gatehouse/internal/conf"
)

// RedirectSpec is where a tenant, host or route leads clients, as written. It
// stands in place of backends.
type RedirectSpec struct {
	Pos    conf.Pos
	To     conf.At[string]   `conf:"to,required,short" doc:"where to: a URL, of which one of http is warned of, or a path of the host that was asked" example:"https://www.acme.example" also:"url,target,location"`
	Status conf.At[int]      `conf:"status" default:"307" doc:"301, 302, 303, 307 or 308; 307 and 308 keep the method, 301 and 308 are for ever" example:"308" also:"code,statuscode"`
	Keep   conf.List[string] `conf:"keep" enum:"rest|path|query" default:"[rest, query], nothing where to has a query or fragment" doc:"what of the request follows: rest, its path behind the prefix of the route that says this; path, all of it; query" example:"[path, query]"`
}

const (
	// redirectBuiltin keeps the method and is forgotten by browsers: who finds
	// out that a redirect was wrong can take it back.
	redirectBuiltin = 307

	// redirectBytesMax bounds what a redirect leads to: it goes out with each
	// answer, and browsers show about as much.
	redirectBytesMax = 2048
)

// redirectStatuses are the answers with a Location that browsers follow (RFC
// 9110 section 15.4).
var redirectStatuses = []int{301, 302, 303, 307, 308}

// CheckConf judges a redirect as written.
func (s *RedirectSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	if at := s.Status; at.Set() && !slices.Contains(redirectStatuses, at.V) {
		r.Fault(at.Pos, "", "status is %d; expected 301, 302, 303, 307 or 308", at.V)
	}
	if !s.To.Set() {
		return // that is a fault already
	}
	to, err := readLeads(s.To.V)
	if err != nil {
		r.Fault(s.To.Pos, "", "%v", err)
		return
	}
	if to.plain {
		r.Warn(s.To.Pos, "write https://", "%q leads clients to plain HTTP", s.To.V)
	}
	kept := s.Keep.Values()
	switch {
	case to.whole && len(kept) > 0:
		r.Fault(s.Keep.Pos, "write keep: []", "keep stands beside %q, behind whose query or fragment nothing can follow", s.To.V)
	case slices.Contains(kept, "rest") && slices.Contains(kept, "path"):
		r.Fault(s.Keep.Pos, "keep one of the two", "keep names rest and path; rest is a part of path")
	}
}

// leads is what a redirect is written to lead to, read.
type leads struct {
	origin string // like "https://new.example"; "" for the host that was asked
	host   string // of origin, normalised
	port   string // of origin, as written
	path   string // with query and fragment; begins with /
	whole  bool   // it has a query or a fragment
	plain  bool   // origin is http
}

// readLeads takes a URL or path apart. Its error says what is wrong with it.
func readLeads(text string) (l leads, err error) {
	rest, isURL := strings.CutPrefix(text, "https://")
	if !isURL {
		rest, l.plain = strings.CutPrefix(text, "http://")
		isURL = l.plain
	}
	switch {
	case len(text) > redirectBytesMax:
		return l, fmt.Errorf("the address has %d bytes; expected at most %d", len(text), redirectBytesMax)
	case isURL:
		if rest, err = l.readOrigin(text, rest); err != nil {
			return l, err
		}
	case !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//"):
		return l, fmt.Errorf("%q is nothing that a redirect can lead to; write it like %q or %q", text, "https://www.acme.example", "/new/")
	}
	if at := strings.IndexFunc(rest, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune("\"<>\\^`{|}", c) }); at >= 0 {
		return l, fmt.Errorf("%q has a character that URLs have escaped, like %q", text, "%20")
	}
	l.path, l.whole = rest, strings.ContainsAny(rest, "?#")
	if !strings.HasPrefix(rest, "/") {
		l.path = "/" + rest
	}
	return l, nil
}

// readOrigin reads the authority that rest begins with, and returns what follows
// it.
func (l *leads) readOrigin(text, rest string) (behind string, err error) {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, behind := rest[:end], rest[end:]
	name, ok := cutPort([]byte(authority))
	if !ok || len(name) == 0 {
		return "", fmt.Errorf("%q names no host; write it like %q", text, "https://www.acme.example")
	}
	ascii, ok := asciiName(string(name))
	if addr, err := netip.ParseAddr(strings.Trim(string(name), "[]")); err == nil && addr.Zone() == "" {
		ascii, ok = string(name), addr.Is4() == (name[0] != '[')
	}
	if !ok {
		return "", fmt.Errorf("%q names the host %q; expected a name of letters, digits, hyphens and dots, or an address", text, name)
	}
	l.host, l.port = ascii, strings.TrimPrefix(authority[len(name):], ":")
	l.origin = strings.TrimSuffix(text[:len(text)-len(rest)]+ascii+":"+l.port, ":")
	return behind, nil
}

// RedirectRule is where a route leads clients instead of forwarding what they ask.
// It is immutable.
type RedirectRule struct {
	// Status is the answer's: 301, 302, 303, 307 or 308.
	Status int

	leads             leads
	path, rest, query bool // what of the request follows
	from              int  // how many slashes the prefix has that is not of the rest
	pos               conf.Pos
}

// compile turns what is written into a rule. match is the prefix of the route
// that says it, in comparable form; "" where tenant or host do.
func (s *RedirectSpec) compile(match string) *RedirectRule {
	r := &RedirectRule{Status: s.Status.Or(redirectBuiltin), from: strings.Count(match, "/"), pos: s.Pos}
	r.leads, _ = readLeads(s.To.V) // what is wrong with it is known
	kept := s.Keep.Values()
	if !s.Keep.Set() && !r.leads.whole {
		kept = []string{"rest", "query"}
	}
	r.path, r.rest, r.query = slices.Contains(kept, "path"), slices.Contains(kept, "rest"), slices.Contains(kept, "query")
	return r
}

// String returns the redirect in words.
func (r *RedirectRule) String() string {
	text := fmt.Sprintf("%d to %s", r.Status, r.leads.origin+r.leads.path)
	switch {
	case r.path:
		text += " and the path"
	case r.rest:
		text += " and the rest of the path"
	}
	if r.query {
		text += ", with the query"
	}
	return text
}

// behind returns what of a path follows its first segments, so many of them as
// slashes: a slash in comparable form is one in the path itself.
func behind(path []byte, slashes int) []byte {
	for i, c := range path {
		if c != '/' {
			continue
		}
		if slashes == 0 {
			return path[i:]
		}
		slashes--
	}
	return nil
}

// AppendRedirect appends where the route of a redirect leads a request: what is
// written, the name and port of the host that was asked where that is a path,
// and what is kept of the request's path and query. What clients choose stands
// behind an authority and a slash that they have no part in. target is path and
// query as they came. Without a route it is AppendLocation.
func (t *Table) AppendRedirect(dst []byte, v Verdict, authority, target []byte) []byte {
	if v.Route == nil {
		return t.AppendLocation(dst, v.Host, authority, target)
	}
	r := v.Route.redirect
	if r.leads.origin != "" {
		dst = append(dst, r.leads.origin...)
	} else {
		dst = t.appendOrigin(dst, v.Host, authority)
	}
	path, query, hasQuery := bytes.Cut(target, []byte{'?'})
	switch {
	case r.rest:
		path = behind(path, r.from)
	case !r.path:
		path = nil
	}
	if len(path) > 0 {
		dst = append(append(dst, strings.TrimSuffix(r.leads.path, "/")...), path...)
	} else {
		dst = append(dst, r.leads.path...)
	}
	if hasQuery && r.query {
		dst = append(append(dst, '?'), query...)
	}
	return dst
}
