package tenancy

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/conf"
	"gatehouse/internal/http1"
	"gatehouse/internal/pool"
)

// RewriteSpec is what becomes of a route's paths on the way to its backends, as
// written: a word, or a map. What is decided about a request is decided by the
// path that came.
type RewriteSpec struct {
	conf.Whole
	By     conf.At[string] `conf:"by,short,one" enum:"strip_prefix" doc:"strip_prefix: the route's prefix is taken off, and X-Forwarded-Prefix names it" example:"strip_prefix"`
	Prefix conf.At[string] `conf:"prefix,one" doc:"the route's prefix becomes this one" example:"/v2/"`
	Path   conf.At[string] `conf:"path,one" doc:"every path becomes this one; the query stays" example:"/index.html"`
}

// CheckConf judges the path that is written.
func (s *RewriteSpec) CheckConf(_ conf.Pos, r *conf.Report) {
	for _, p := range []struct {
		key string
		at  conf.At[string]
	}{{"prefix", s.Prefix}, {"path", s.Path}} {
		if !p.at.Set() {
			continue
		}
		if why := pathWrong(p.at.V); why != "" {
			r.Fault(p.at.Pos, "", "%s is %q: %s; expected a path like %q", p.key, p.at.V, why, "/v2/")
		}
	}
}

// pathWrong says why a text is no path that goes to a backend; "" if it is.
func pathWrong(text string) string {
	switch {
	case !strings.HasPrefix(text, "/"):
		return "it does not begin with /"
	case len(text) > prefixBytesMax:
		return fmt.Sprintf("it is longer than %d bytes", prefixBytesMax)
	case strings.ContainsAny(text, "?#"):
		return "it has a query or fragment"
	case strings.ContainsFunc(text, func(c rune) bool { return c > 0x7e }):
		return "it has a character that paths have escaped"
	}
	return pathRules{protected: true}.ambiguity([]byte(text))
}

// pos returns where the rewrite is written.
func (s *RewriteSpec) pos() conf.Pos {
	for _, at := range []conf.At[string]{s.By, s.Prefix, s.Path} {
		if at.Set() {
			return at.Pos
		}
	}
	return noPos
}

// checkRewrite refuses to rewrite what no backend is asked for.
func (s *RouteSpec) checkRewrite(r *conf.Report) {
	if s.Rewrite != nil && s.Redirect != nil {
		r.Fault(s.Rewrite.pos(), "keep in redirect says what follows", "rewrite stands beside redirect at %s, which reaches no backend", s.Redirect.Pos)
	}
}

// rewriting is a compiled rewrite.
type rewriting struct {
	whole   string // the path; "" where a prefix is replaced
	prefix  string // what the route's prefix becomes, without its last slash
	public  string // the route's prefix as clients write it, without its last slash
	strips  bool
	slashes int // of the route's prefix
	pos     conf.Pos
}

// compileRewrite compiles what the narrowest place says about a route's paths.
func (d *routeDraft) compileRewrite() *rewriting {
	var spec *RewriteSpec
	for _, s := range d.specs {
		if s.Rewrite != nil {
			spec = s.Rewrite
		}
	}
	if spec == nil || d.redirect.spec != nil {
		return nil
	}
	return &rewriting{
		whole: spec.Path.V, prefix: strings.TrimSuffix(spec.Prefix.V, "/"), strips: spec.By.Set(),
		public: escapedPath(strings.TrimSuffix(d.prefix, "/")), slashes: strings.Count(d.match, "/"), pos: spec.pos(),
	}
}

// escapedPath escapes what is not ASCII, so that it may stand in a field.
func escapedPath(path string) string {
	var escaped []byte
	for i := range len(path) {
		if c := path[i]; c < 0x80 {
			escaped = append(escaped, c)
		} else {
			escaped = fmt.Appendf(escaped, "%%%02X", c)
		}
	}
	return string(escaped)
}

// ambiguous reports whether what is behind the prefix would begin with a second
// separator: what is read as the beginning of an authority must not arise from
// what was none.
func (w *rewriting) ambiguous(path []byte) bool {
	if w == nil || w.whole != "" {
		return false
	}
	rest := behind(path, w.slashes)
	if len(rest) < 2 {
		return false
	}
	c := octetAt(rest[1:])
	return c.value == '/' || c.value == '\\'
}

// RewritesPaths reports whether backends are asked for other paths than clients
// ask for.
func (r *Route) RewritesPaths() bool { return r.rewrite != nil }

// AppendPath appends the path that a backend is asked for in place of path, which
// is the route's.
func (r *Route) AppendPath(dst, path []byte) []byte {
	w := r.rewrite
	switch {
	case w == nil:
		return append(dst, path...)
	case w.whole != "":
		return append(dst, w.whole...)
	}
	rest := behind(path, w.slashes)
	if w.prefix == "" && len(rest) == 0 {
		return append(dst, '/')
	}
	return append(append(dst, w.prefix...), rest...)
}

// ForwardedPrefix returns what X-Forwarded-Prefix tells a backend: the prefix
// that was taken off the path; "" for none.
func (r *Route) ForwardedPrefix() string {
	if r.rewrite == nil || !r.rewrite.strips {
		return ""
	}
	return r.rewrite.public
}

// AppendOutward appends a Location of a backend as clients have to ask for it,
// and reports whether it differs: a path, or an http or https URL with the
// authority of the request, below what the route's prefix was replaced by. One
// that lies below the route's prefix already is what a backend says that knows
// of it.
func (r *Route) AppendOutward(dst, location, authority []byte) (out []byte, differs bool) {
	w := r.rewrite
	if w == nil || w.whole != "" || w.public == w.prefix {
		return dst, false
	}
	path := ownPath(location, authority)
	inside, outside := below(path, w.prefix), below(path, w.public)
	if !inside || outside && len(w.public) > len(w.prefix) {
		return dst, false
	}
	dst = append(dst, location[:len(location)-len(path)]...)
	return append(append(dst, w.public...), path[len(w.prefix):]...), true
}

// ownPath returns the path, query and fragment of a Location that leads to the
// host that was asked; nil for any other.
func ownPath(location, authority []byte) []byte {
	path := location
	for _, scheme := range []string{"https://", "http://"} {
		if n := len(scheme) + len(authority); len(location) > n && http1.EqualFold(location[:len(scheme)], scheme) &&
			bytes.EqualFold(location[len(scheme):n], authority) {
			path = location[n:]
		}
	}
	if len(path) == 0 || path[0] != '/' || len(path) > 1 && (path[1] == '/' || path[1] == '\\') {
		return nil
	}
	return path
}

// below reports whether a path, which may have a query, lies below a prefix
// without its last slash.
func below(path []byte, prefix string) bool {
	n := len(prefix)
	return len(path) > 0 && len(path) >= n && string(path[:n]) == prefix && (len(path) == n || bytes.IndexByte([]byte("/?#"), path[n]) >= 0)
}

// warnUncovered tells about a rewrite whose paths lead, at the same backends,
// to what another route protects: whoever may use the one reaches the other.
func (b *builder) warnUncovered(s *site, drafts []*routeDraft) {
	for i, r := range s.routes {
		if r.rewrite == nil {
			continue
		}
		to := r.rewrite.prefix
		if r.rewrite.whole != "" {
			to = r.rewrite.whole
		}
		folded := foldedMatch(strings.TrimSuffix(to, "/"))
		for k, other := range drafts {
			if !other.protected() || contains(other.folded, drafts[i].folded) || !samePool(r.plan, s.routes[k].plan) {
				continue
			}
			if contains(other.folded, folded) || r.rewrite.whole == "" && contains(folded, other.folded) {
				b.report.Warn(r.rewrite.pos, "give both the same access, or other backends",
					"route %q leads to paths that route %q at %s protects, and is not held to what that asks for", r.prefix, other.prefix, other.pos)
			}
		}
	}
}

// samePool reports whether two plans have a backend in common.
func samePool(a, b *pool.Plan) bool {
	return slices.ContainsFunc(a.Backends, func(one *pool.Backend) bool {
		return slices.ContainsFunc(b.Backends, func(other *pool.Backend) bool { return one.Address() == other.Address() })
	})
}

// described is the rewrite in words.
func (w *rewriting) described() string {
	switch {
	case w == nil:
		return ""
	case w.whole != "":
		return ", asked for " + w.whole
	case w.strips:
		return ", asked for paths without " + w.public
	}
	return fmt.Sprintf(", asked for %s/ in place of %s/", w.prefix, w.public)
}

func (d digester) rewrite(w *rewriting) {
	if w == nil {
		d.numbers(0)
		return
	}
	d.text(w.whole, w.prefix, w.public)
	d.flags(w.strips)
}
