package ipallow

import (
	"net/netip"
	"slices"
	"sort"

	"go4.org/netipx"
)

// Nesting compares the levels of one text with those around them: whoever
// writes an entry that a wider level does not cover believes it admitted, and
// the conjunction refuses it. It remembers what it compared, because hosts have
// their routes in common. The zero Nesting is ready; it is for one goroutine.
type Nesting struct {
	compared map[[2]*Access]struct{}
	unions   map[*List][]netipx.IPRange
	said     int
}

// gapsMost bounds what one Nesting says, which is as much as a report keeps: to
// work out a gap takes longer than to find that there is one.
const gapsMost = 200

// Check records what inner's allow lists and outer's does not. Dates and except
// are left aside. It is a fault, or a warning where inner has it from a set of
// another file, whose author may not know this list.
func (n *Nesting) Check(outer, inner *Access, r *Report) { n.compare(outer, inner, r.Fault, r.Warn) }

// Warn is Check for a text that was accepted before, so that only a shared set
// can have changed: it records warnings.
func (n *Nesting) Warn(outer, inner *Access, r *Report) { n.compare(outer, inner, r.Warn, r.Warn) }

type record = func(p Pos, hint, format string, args ...any)

func (n *Nesting) compare(outer, inner *Access, own, shared record) {
	if outer == nil || inner == nil || outer.public || inner.public {
		return
	}
	pair := [2]*Access{outer, inner}
	if _, done := n.compared[pair]; done {
		return
	}
	if n.compared == nil {
		n.compared = make(map[[2]*Access]struct{})
	}
	n.compared[pair] = struct{}{}
	n.gaps(outer.allow, inner.allow, func(g gap) {
		say := own
		if g.shared {
			say = shared
		}
		what := g.entry.String()
		if g.part != g.entry.Prefix {
			what += ", of which " + prefixText(g.part)
		}
		say(g.pos, "add it to the wider allow, or remove it here", "%s is not covered by the wider access at %s, so it is refused", what, outer.pos)
	})
}

// gap is something that a narrower list has and a wider one does not cover.
type gap struct {
	entry  Match
	part   netip.Prefix // of the entry, which the wider list lacks
	pos    Pos          // of the entry, or of the mention of its set
	shared bool         // the entry is of a set that another file defines
}

// gaps calls found for what inner lists and outer does not cover, whatever the
// dates: each entry that inner writes itself, and of each set the first. Sets
// with a live source are left aside: what they cover is not written.
func (n *Nesting) gaps(outer, inner *List, found func(gap)) {
	if len(outer.live) > 0 {
		return
	}
	for _, m := range inner.members {
		if len(m.group.sources) > 0 || slices.ContainsFunc(outer.members, func(wider member) bool { return wider.group == m.group }) {
			continue
		}
		for i := range m.group.entries {
			e := &m.group.entries[i]
			if n.said >= gapsMost || n.covers(outer, e.prefix) {
				continue
			}
			n.said++
			part := outer.uncovered(e.prefix)
			if m.group.set != "" {
				found(gap{m.match(e), part, m.pos, m.shared})
				break
			}
			found(gap{m.match(e), part, e.pos, false})
		}
	}
}

// covers reports whether l covers all of p, by one entry or by several.
func (n *Nesting) covers(l *List, p netip.Prefix) bool {
	for _, m := range l.members {
		if m.group.covers(p) {
			return true
		}
	}
	union, ok := n.unions[l]
	if !ok {
		union = l.union()
		if n.unions == nil {
			n.unions = make(map[*List][]netipx.IPRange)
		}
		n.unions[l] = union
	}
	// The first range that ends no sooner than p is the only one that can hold it.
	want := netipx.RangeOfPrefix(p)
	i := sort.Search(len(union), func(i int) bool { return !union[i].To().Less(want.To()) })
	return i < len(union) && union[i].Contains(want.From())
}

// union returns what l covers as ranges that neither overlap nor touch, sorted.
func (l *List) union() []netipx.IPRange {
	var all netipx.IPSetBuilder
	for m := range l.Entries() {
		all.AddPrefix(m.Prefix)
	}
	set, err := all.IPSet()
	if err != nil {
		return nil // prefixes are valid, so this does not happen
	}
	return set.Ranges()
}

// uncovered returns the first network of p that l does not cover; there is one.
func (l *List) uncovered(p netip.Prefix) netip.Prefix {
	var rest netipx.IPSetBuilder
	rest.AddPrefix(p)
	for _, m := range l.members {
		for _, e := range m.group.inside(p) {
			rest.RemovePrefix(e.prefix)
		}
	}
	set, err := rest.IPSet()
	if err != nil || len(set.Prefixes()) == 0 {
		return p
	}
	return set.Prefixes()[0]
}
