package ipallow

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"gatehouse/internal/conf"
)

// Pos is where something is written, and Report collects what is to be said
// about it.
type (
	Pos    = conf.Pos
	Report = conf.Report
)

// EntrySpec is one entry of a list as written: an address, a network or a set,
// or a map that says more about it.
type EntrySpec struct {
	IP    conf.At[string]    `conf:"ip,required,short" doc:"an address, a network without bits beyond its length, or set:NAME; names, files and URLs belong into a set" example:"203.0.113.0/28"`
	Why   conf.At[string]    `conf:"why" doc:"note for whoever reads the list or an explanation" example:"head office"`
	Until conf.At[conf.Date] `conf:"until" doc:"the last day, UTC, on which the entry counts" example:"2027-01-31"`
}

// SetSpec is a named set as written; a plain list may stand for it.
type SetSpec struct {
	Owner   conf.At[string]         `conf:"owner" doc:"whom to ask about the set" example:"it@acme.example"`
	Entries conf.List[SetEntrySpec] `conf:"entries,short" doc:"addresses and networks, and names, files and URLs where more of them are to be had; a set holds no other set" example:"[203.0.113.0/28, 2001:db8:10::/48, {dns: vpn.acme.example}]"`
}

// AccessSpec is the access of one level as written.
type AccessSpec struct {
	Pos        conf.Pos
	Allow      conf.List[EntrySpec] `conf:"allow,one" doc:"who is admitted; [] admits nobody" example:"[set:offices, 198.51.100.7]"`
	Except     conf.List[EntrySpec] `conf:"except" doc:"who is refused all the same" example:"[203.0.113.9]"`
	Public     conf.At[string]      `conf:"public,one" doc:"admit everybody, for this reason; excludes allow" example:"marketing site"`
	Wide       conf.At[string]      `conf:"wide" doc:"why allow covers more than a /8, or more than a /20 of IPv6" example:"all of the carrier's customers"`
	RefuseWith conf.At[string]      `conf:"refuse_with" enum:"403|404|handshake" default:"403" doc:"how whoever is not admitted is refused: by a page, by the page of a missing one, or as if the host were unknown" example:"handshake"`
}

const (
	// setMark begins an entry that names a set.
	setMark = "set:"

	// maxParts bounds what one list is made of: each set, and in it each day on
	// which entries end and each live source, costs a lookup in every decision. A year of days is more
	// than anyone keeps in order.
	maxParts = 400
)

// setName is what a set may be called, so that set:NAME reads as one word.
var setName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// Sets are the named sets that are visible in one file. It is immutable. A nil
// Sets holds none.
type Sets struct {
	byName map[string]*group
	outer  *Sets
}

// CompileSets compiles the sets of the main file. The sets of outer are visible
// too, where no set of the file has the same name. Each set is compiled once and
// shared by all lists that name it.
func CompileSets(specs conf.Map[SetSpec], outer *Sets, r *conf.Report) *Sets {
	return new(Origin).CompileSets(specs, outer, r)
}

// CompileSets is the function of that name for the text that o describes.
func (o *Origin) CompileSets(specs conf.Map[SetSpec], outer *Sets, r *conf.Report) *Sets {
	var live census
	s := &Sets{byName: make(map[string]*group, len(specs)), outer: outer}
	for i := range specs {
		spec := &specs[i]
		if !setName.MatchString(spec.Key) {
			r.Fault(spec.Pos, "", "%q cannot name a set; a name is up to 63 letters, digits, hyphens, underscores and dots, and begins with a letter or digit", spec.Key)
			continue
		}
		if outer.lookup(spec.Key) != nil {
			r.Note(spec.Pos, "", "set %q hides the main file's set of the same name in this file", spec.Key)
		}
		g := o.compileSet(spec, r)
		s.byName[spec.Key] = g
		if !live.holds(g, spec.Pos, r) {
			return s
		}
	}
	return s
}

func (o *Origin) compileSet(spec *conf.Entry[SetSpec], r *conf.Report) *group {
	entries := make([]entry, 0, len(spec.V.Entries.Items))
	var sources []mention
	for i := range spec.V.Entries.Items {
		item := &spec.V.Entries.Items[i].V
		if _, _, live := item.live(); live {
			if s := o.compile(spec.Key, item, r); s != nil {
				sources = append(sources, mention{s, endOf(item.Until), item.Why.V, s.Pos})
			}
			continue
		}
		if strings.HasPrefix(item.IP.V, setMark) {
			r.Fault(item.IP.Pos, "name both sets where they are used",
				"set %q names %q; a set holds addresses and networks", spec.Key, item.IP.V)
			continue
		}
		entries = (*Sets)(nil).appendEntry(entries, item.entry(), r)
	}
	warnRepeated(sources, r)
	return compileGroup(spec.Key, entries, sources, r)
}

// compileGroup builds a group and warns about what stands twice: whoever
// removes one of the two believes the network to be gone.
func compileGroup(set string, entries []entry, sources []mention, r *conf.Report) *group {
	g, repeated := newGroup(set, entries, sources)
	for _, e := range repeated {
		also, _ := g.search(e.prefix)
		r.Warn(e.pos, "remove one of the two", "%s is listed at %s as well", prefixText(e.prefix), g.entries[also].pos)
	}
	return g
}

// appendEntry reads one entry that is no set; s knows the names that it may
// have been meant to be.
func (s *Sets) appendEntry(entries []entry, item *EntrySpec, r *conf.Report) []entry {
	if item.IP.V == "" && !item.IP.Set() {
		return entries // reading it was a fault
	}
	prefix, err := ParsePrefix(item.IP.V)
	if err != nil {
		hint := ""
		if why := new(PrefixError); errors.As(err, &why) {
			hint = why.Hint
		}
		if s.lookup(item.IP.V) != nil {
			hint = fmt.Sprintf("did you mean %q?", setMark+item.IP.V)
		}
		r.Fault(item.IP.Pos, hint, "%v", err)
		return entries
	}
	return append(entries, entry{prefix: prefix, until: endOf(item.Until), why: item.Why.V, pos: item.IP.Pos})
}

// endOf returns the first second after the day, UTC.
func endOf(until conf.At[conf.Date]) int64 {
	if !until.Set() {
		return never
	}
	// Days before 1970 have passed as well, and 0 asks for no date at all.
	return max(1, until.V.Day().AddDate(0, 0, 1).Unix())
}

// Reusing returns sets that hold what s holds, of its own file, and share with
// earlier what is written there just the same. Lists that were compiled at
// different times then share it, too.
func (s *Sets) Reusing(earlier *Sets) *Sets {
	if s == nil || earlier == nil {
		return s
	}
	byName := maps.Clone(s.byName)
	for name, g := range byName {
		if e := earlier.byName[name]; e != nil && e.digest == g.digest && slices.Equal(e.entries, g.entries) && sameMentions(e.sources, g.sources) {
			byName[name] = e
		}
	}
	return &Sets{byName: byName, outer: s.outer}
}

func sameMentions(a, b []mention) bool {
	return slices.EqualFunc(a, b, func(m, n mention) bool {
		return *m.source == *n.source && m.until == n.until && m.why == n.why && m.pos == n.pos
	})
}

// lookup finds a set by name, the nearest first.
func (s *Sets) lookup(name string) *group {
	for ; s != nil; s = s.outer {
		if g := s.byName[name]; g != nil {
			return g
		}
	}
	return nil
}

// owns reports whether the set is defined in the file of s itself.
func (s *Sets) owns(g *group) bool { return s != nil && s.byName[g.set] == g }

// names lists all visible sets.
func (s *Sets) names() []string {
	names := make(map[string]struct{})
	for ; s != nil; s = s.outer {
		for name := range s.byName {
			names[name] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// Compile compiles a list of those who are admitted, or believed. Entries with a
// fault are left out of it.
func (s *Sets) Compile(entries conf.List[EntrySpec], r *conf.Report) *List {
	return newList(s.members(entries, r), false)
}

// CompileRefusing compiles a list of those who are kept out: what a live source
// lists there goes on to count when it is too old to admit anybody.
func (s *Sets) CompileRefusing(entries conf.List[EntrySpec], r *conf.Report) *List {
	return newList(s.members(entries, r), true)
}

// members resolves the entries of a list.
func (s *Sets) members(entries conf.List[EntrySpec], r *conf.Report) []member {
	var own []entry
	var members []member
	named := make(map[*group]int) // index in members
	for i := range entries.Items {
		item := &entries.Items[i].V
		if !strings.HasPrefix(item.IP.V, setMark) {
			own = s.appendEntry(own, item, r)
			continue
		}
		m, ok := s.mention(item, r)
		if !ok {
			continue
		}
		at, again := named[m.group]
		if !again {
			named[m.group] = len(members)
			members = append(members, m)
			continue
		}
		r.Warn(m.pos, "remove one of the two", "%q is listed at %s as well", item.IP.V, members[at].pos)
		if m.until > members[at].until {
			members[at] = m
		}
	}
	if len(own) > 0 {
		literals := compileGroup("", own, nil, r)
		members = slices.Insert(members, 0, member{group: literals, until: never, pos: entries.Pos})
	}
	return bounded(members, entries.Pos, r)
}

// mention looks up the set that an entry names.
func (s *Sets) mention(item *EntrySpec, r *conf.Report) (m member, ok bool) {
	name := strings.TrimPrefix(item.IP.V, setMark)
	g := s.lookup(name)
	if g == nil {
		hint := ""
		if !r.Full() {
			hint = s.unknownHint(name)
		}
		r.Fault(item.IP.Pos, hint, "there is no set %q; expected the name of a set of this file or of the main file", name)
		return member{}, false
	}
	return member{g, endOf(item.Until), item.Why.V, item.IP.Pos, !s.owns(g)}, true
}

// bounded cuts a list off where it has too many parts. An empty set counts too:
// comparing lists looks at each member.
func bounded(members []member, at conf.Pos, r *conf.Report) []member {
	parts := 0
	for i, m := range members {
		if parts += max(1, len(m.group.parts)+len(m.group.sources)); parts > maxParts {
			r.Fault(at, "remove entries whose day has passed, or put sets together",
				"the list has more than %d parts, one for each set, each day on which entries end, and each live source", maxParts)
			return members[:i]
		}
	}
	return members
}

func (s *Sets) unknownHint(name string) string {
	names := s.names()
	if near := conf.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %q?", setMark+near)
	}
	if len(names) == 0 {
		return "no set is defined: add it below \"sets\""
	}
	return "add it below \"sets\""
}

// CompileAccess compiles the access of one level. It returns nil when spec is.
// That exactly one of allow and public is written is for the decoder to say;
// with both, what is compiled is the list.
func CompileAccess(spec *AccessSpec, sets *Sets, r *conf.Report) *Access {
	if spec == nil {
		return nil
	}
	c := &Access{
		pos:        spec.Pos,
		public:     spec.Public.Set() && !spec.Allow.Set(),
		reason:     strings.TrimSpace(spec.Public.V),
		allow:      sets.Compile(spec.Allow, r),
		except:     sets.CompileRefusing(spec.Except, r),
		refuseSet:  spec.RefuseWith.Set(),
		refuseWith: refuseWords[spec.RefuseWith.V],
	}
	if c.public {
		checkPublic(spec, c.reason, r)
	} else {
		checkWide(spec, c.allow, r)
	}
	return c
}

var refuseWords = map[string]RefuseWith{
	Refuse403.String():       Refuse403,
	Refuse404.String():       Refuse404,
	RefuseHandshake.String(): RefuseHandshake,
}

func checkPublic(spec *AccessSpec, reason string, r *conf.Report) {
	if !isReason(reason) {
		r.Fault(spec.Public.Pos, `write it like public: "marketing site"; to admit nobody, write allow: []`, "public is %q; expected the reason for which everybody is admitted", spec.Public.V)
	}
	if spec.Wide.Set() {
		r.Fault(spec.Wide.Pos, "remove it", "wide stands beside public at %s; it belongs to allow", spec.Public.Pos)
	}
}

// isReason reports whether text tells a reader why. Whoever writes yes or no
// takes the key for a switch, and with no means the opposite.
func isReason(text string) bool {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "true", "false", "yes", "no", "on", "off", "y", "n", "1", "0", "~", "null", "none":
		return false
	}
	return true
}

func checkWide(spec *AccessSpec, allow *List, r *conf.Report) {
	switch {
	case spec.Wide.Set() && !isReason(spec.Wide.V):
		r.Fault(spec.Wide.Pos, "", "wide is %q; expected the reason for which allow covers so much", spec.Wide.V)
	case !spec.Wide.Set() && allow.extent().wide():
		r.Fault(spec.Allow.Pos, "if that is meant, add wide: REASON beside allow; to admit everybody, write public: REASON instead",
			"allow covers more than a /8, or more than a /20 of IPv6; expected the networks of those who may come in")
	}
}
