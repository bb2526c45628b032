package tenancy

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"gatehouse/internal/conf"
	"gatehouse/internal/pool"
)

// expectCase is an expect entry, ready to be judged.
type expectCase struct {
	question Question
	url      string // as written
	action   Action
	reason   Reason
	prefix   string // of the route that must be chosen; "" for any
	backend  string // address that must be among those chosen; "" for any
	location string // where a redirect must lead; "" for anywhere
	pos      conf.Pos
}

// readExpect checks the cases of tenant and hosts.
func (b *builder) readExpect() {
	lists := []conf.List[ExpectSpec]{b.v.spec.Expect}
	for _, h := range b.v.hosts {
		lists = append(lists, h.spec.Expect)
	}
	for _, list := range lists {
		for i := range list.Items {
			if c, ok := b.readCase(&list.Items[i].V); ok {
				b.cases = append(b.cases, c)
			}
		}
	}
}

func (b *builder) readCase(s *ExpectSpec) (c expectCase, ok bool) {
	before := b.report.Faults()
	c.pos = s.Pos
	method, url := s.request()
	c.url, c.question.Method = url.V, method
	b.readURL(&c.question, url)
	b.readFrom(&c.question, s.From)
	b.readIs(&c, s.Is)
	b.readAt(&c.question, s.At)
	c.question.User = s.User.V
	b.readChosen(&c, s)
	return c, b.report.Faults() == before && s.From.Set() && s.Is.Set() && url.Set()
}

// request returns the one method and URL of the case.
func (s *ExpectSpec) request() (method string, url conf.At[string]) {
	for _, m := range []struct {
		method string
		url    conf.At[string]
	}{{"GET", s.Get}, {"POST", s.Post}, {"PUT", s.Put}, {"DELETE", s.Delete}, {"HEAD", s.Head}, {"OPTIONS", s.Options}} {
		if m.url.Set() {
			return m.method, m.url
		}
	}
	return "", conf.At[string]{}
}

// readURL takes a URL apart without changing its path: what a client would
// send, byte for byte, is what is judged.
func (b *builder) readURL(q *Question, url conf.At[string]) {
	if !url.Set() {
		return
	}
	if err := q.ParseURL(url.V); err != nil {
		b.report.Fault(url.Pos, "", "%v", err)
	}
}

// ParseURL fills in Scheme, Host, Port and Path. The path stays byte for byte
// as it is written; query and fragment are left out.
func (q *Question) ParseURL(text string) error {
	if strings.ContainsFunc(text, func(c rune) bool { return c == ' ' || !unicode.IsPrint(c) }) {
		return fmt.Errorf("%q has a blank or a character that cannot be seen; a URL has them escaped, like %q", text, "%20")
	}
	scheme, rest, ok := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "https" && scheme != "http" {
		return fmt.Errorf("%q is not a URL that can be judged; write it like %q", text, "https://pa.acme.example/login")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, path := rest[:end], rest[end:]
	if end := strings.IndexAny(path, "?#"); end >= 0 {
		path = path[:end]
	}
	if path == "" {
		path = "/"
	}
	host, ok := cutPort([]byte(authority))
	if !ok || len(host) == 0 || bytes.IndexByte(host, '@') >= 0 {
		return fmt.Errorf("%q has no host; write it like %q", text, "https://pa.acme.example/login")
	}
	q.Scheme, q.Host, q.Path = scheme, string(host), path
	q.Port = strings.TrimPrefix(authority[len(host):], ":")
	if ascii, ok := asciiName(q.Host); ok {
		q.Host = ascii
	}
	return nil
}

func (b *builder) readFrom(q *Question, from conf.At[string]) {
	if !from.Set() {
		return
	}
	addr, err := netip.ParseAddr(from.V)
	if err != nil || addr.Zone() != "" {
		b.report.Fault(from.Pos, "", "%q is not an address; write the address of a client like %q", from.V, "203.0.113.5")
		return
	}
	q.From = addr.Unmap()
}

// readIs reads "forward", "redirect" or "refuse REASON".
func (b *builder) readIs(c *expectCase, is conf.At[string]) {
	word, rest, _ := strings.Cut(strings.TrimSpace(is.V), " ")
	name := strings.TrimSpace(rest)
	switch {
	case !is.Set():
	case word == Forward.String() && name == "":
		c.action = Forward
	case word == Redirect.String() && name == "":
		c.action = Redirect
	case word == Refuse.String() && name != "":
		b.readReason(c, name, is.Pos)
	default:
		hint := conf.DidYouMean(is.V, []string{"forward", "redirect"})
		b.report.Fault(is.Pos, hint, "%q is not a verdict; expected forward, redirect, or refuse and a reason", is.V)
	}
}

func (b *builder) readReason(c *expectCase, name string, at conf.Pos) {
	var judged []string
	for _, r := range AllReasons() {
		switch {
		case !reasons[r].judged && r.String() == name:
			b.report.Fault(at, "", "the reason %q depends on more than the table, so no case can expect it", name)
			return
		case r.String() == name:
			c.reason = r
			return
		case reasons[r].judged:
			judged = append(judged, r.String())
		}
	}
	if slices.Contains(laterReasons, name) {
		b.report.Fault(at, "", "the reason %q is not in this version", name)
		return
	}
	b.report.Fault(at, conf.DidYouMean(name, judged), "there is no reason %q; expected one of %s", name, strings.Join(judged, ", "))
}

// readAt reads when the case is judged: 2027-02-01 (its first second, UTC),
// 2027-02-01T09:00 Europe/Riga, or RFC 3339.
func (b *builder) readAt(q *Question, at conf.At[string]) {
	if !at.Set() {
		return
	}
	t, ok := readInstant(at.V, "")
	if day, err := time.Parse(time.DateOnly, at.V); err == nil {
		t, ok = day, day.Unix() > 0
	}
	why := whyNoTime(at.V, "", instantLayouts...)
	switch {
	case !ok && why != "":
		b.report.Fault(at.Pos, "", "at is %q; %s", at.V, why)
		return
	case !ok:
		b.report.Fault(at.Pos, "", "%q is not a time; write it like %q, %q or %q", at.V,
			"2027-02-01", "2027-02-01T09:00 Europe/Riga", "2027-02-01T07:00:00Z")
		return
	}
	q.At = t
}

// readChosen reads which route and backend must be chosen.
func (b *builder) readChosen(c *expectCase, s *ExpectSpec) {
	for _, chosen := range []struct {
		name string
		at   conf.At[string]
	}{{"route", s.Route}, {"backend", s.Backend}} {
		if chosen.at.Set() && s.Is.Set() && c.action != Forward {
			b.report.Fault(chosen.at.Pos, "remove it", "%s is %q, but only what is forwarded has one", chosen.name, chosen.at.V)
		}
	}
	if c.location = s.Location.V; s.Location.Set() && s.Is.Set() && c.action != Redirect {
		b.report.Fault(s.Location.Pos, "remove it", "location is %q, but only a redirect has one", c.location)
	}
	if s.Route.Set() {
		if c.prefix = s.Route.V; !strings.HasPrefix(c.prefix, "/") {
			b.report.Fault(s.Route.Pos, "", "route %q does not begin with /; expected the prefix of a route", s.Route.V)
		}
	}
	if s.Backend.Set() {
		var r conf.Report
		backend := pool.CompileBackend(conf.At[pool.BackendSpec]{V: pool.BackendSpec{URL: s.Backend}, Pos: s.Backend.Pos}, nil, &r)
		b.report.Add(&r)
		if backend != nil {
			c.backend = backend.Address()
		}
	}
}

// sayer records a finding of one kind.
type sayer func(p conf.Pos, hint, format string, args ...any)

// judgeCases judges the cases of a build against t and records what differs. What
// depends on live sources is not in the files, so no file is held to it.
func (t *Table) judgeCases(id string, cases []expectCase, note, say sayer) (failed int) {
	most, least := t.bounds()
	for i := range cases {
		c := &cases[i]
		if h := t.Lookup(c.question.Host); h != nil && h.tenant.id != id {
			say(c.pos, "", "%q is a host of another tenant; a case asks about hosts of its own tenant, or of nobody", c.question.Host)
			failed++
			continue
		}
		if most != nil && most.Judge(c.question, nil) != least.Judge(c.question, nil) {
			note(c.pos, "", "%s %s from %s is not judged: the verdict depends on what live sources list", c.question.Method, c.url, c.question.From)
			continue
		}
		if got := c.differs(t, t.Judge(c.question, nil)); got != "" {
			hint := fmt.Sprintf("gatehouse explain %s --from %s shows each gate", shellWord(c.url), c.question.From)
			say(c.pos, hint, "%s %s from %s: %s; expected %s", c.question.Method, c.url, c.question.From, got, c.expected())
			failed++
		}
	}
	return failed
}

// shellWord quotes text for a shell: a hint is there to be copied, and whoever
// writes a tenant's file is not whoever copies it.
func shellWord(text string) string {
	plain := func(c rune) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune("-._~:/%@,=+", c)
	}
	if !strings.ContainsFunc(text, func(c rune) bool { return !plain(c) }) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// differs says what v is in the words of the case, or "" if it is as expected.
func (c *expectCase) differs(t *Table, v Verdict) string {
	switch {
	case v.Action != c.action || v.Reason != c.reason:
		return v.String()
	case c.location != "":
		if to := string(t.AppendRedirect(nil, v, []byte(c.question.Host), []byte(c.question.Path))); to != c.location {
			return "redirect to " + to
		}
	case c.prefix != "" && !samePrefix(v.Route.prefix, c.prefix):
		return fmt.Sprintf("forward by route %q", v.Route.prefix)
	case c.backend != "" && !slices.ContainsFunc(v.Route.plan.Backends, func(b *pool.Backend) bool { return b.Address() == c.backend }):
		return "forward to " + planWords(v.Route.plan)
	}
	return ""
}

func samePrefix(a, b string) bool {
	return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
}

// expected says what the case expects.
func (c *expectCase) expected() string {
	text := Verdict{Action: c.action, Reason: c.reason}.String()
	if c.prefix != "" {
		text += fmt.Sprintf(" by route %q", c.prefix)
	}
	if to := c.backend + c.location; to != "" { // no case has both
		text += " to " + to
	}
	return text
}
