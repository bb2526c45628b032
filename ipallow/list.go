package ipallow

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// List is a compiled list of addresses. It is immutable; a nil List is empty.
type List struct {
	parts   []part   // of all members, with the ends that hold in this list
	live    []liveIn // of all members, likewise
	members []member
	refuses bool // whom it lists is kept out
	digest  [sha256.Size]byte
}

// member is a set that a list names, or the list's own entries.
type member struct {
	group  *group
	until  int64 // the end of the mention: never unless the mention has its own
	why    string
	pos    Pos  // of the mention
	shared bool // the set is defined in another file than the mention
}

// Match is one entry of a list.
type Match struct {
	Prefix netip.Prefix
	Pos    Pos       // where the entry is written
	Set    string    // the set that holds it; empty if the list itself does
	Source *Source   // the live source that lists it; nil if it is written
	Why    string    // what its author noted; may be empty
	Until  time.Time // the first instant at which it no longer counts; zero: it stays
}

// LastDay returns the day through which the entry counts, like "2027-01-31",
// and "" if it stays.
func (m Match) LastDay() string {
	if m.Until.IsZero() {
		return ""
	}
	return m.Until.Add(-time.Second).UTC().Format(time.DateOnly)
}

// String describes the entry on one line: network, set, note, last day.
func (m Match) String() string {
	var b strings.Builder
	b.WriteString(prefixText(m.Prefix))
	if m.Set != "" {
		b.WriteString(" of set:" + m.Set)
	}
	if m.Source != nil {
		b.WriteString(" by " + m.Source.String())
	}
	if m.Why != "" {
		b.WriteString(" (" + oneLine(m.Why) + ")")
	}
	if day := m.LastDay(); day != "" {
		b.WriteString(" until " + day)
	}
	return b.String()
}

// oneLine keeps a note from writing lines of its own, or orders to the terminal.
func oneLine(note string) string {
	if strings.ContainsFunc(note, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return strconv.Quote(note)
	}
	return note
}

func newList(members []member, refuses bool) *List {
	l := &List{members: members, refuses: refuses}
	for _, m := range members {
		for _, s := range m.group.sources {
			s.until, s.why = min(s.until, m.until), cmp.Or(s.why, m.why)
			l.live = append(l.live, liveIn{s, m.group.set})
		}
		for _, p := range m.group.parts {
			l.parts = append(l.parts, part{p.table, min(p.until, m.until)})
		}
	}
	l.digest = digestOfMembers(members, refuses)
	return l
}

// digestOfMembers does not depend on the order in which sets are named. Whether
// the list refuses counts where that decides what a live source comes to.
func digestOfMembers(members []member, refuses bool) [sha256.Size]byte {
	var records [][]byte
	for _, m := range members {
		if refuses && len(m.group.sources) > 0 {
			records = append(records, []byte("refuses"))
		}
		if len(m.group.entries)+len(m.group.sources) > 0 {
			records = append(records, binary.BigEndian.AppendUint64(m.group.digest[:], uint64(m.until)))
		}
	}
	slices.SortFunc(records, bytes.Compare)
	return sha256.Sum256(bytes.Join(records, nil))
}

// ContainsAt reports whether a is listed, by an entry that is written or by a
// live source. It does not allocate.
func (l *List) ContainsAt(a netip.Addr, m Moment) bool {
	return l.Contains(a, m.Now) || l != nil && len(l.live) > 0 && l.livesIn(a, m)
}

// Contains is ContainsAt for the entries that are written alone, at the Unix
// second now; 0 asks as if no `until` had passed. It does not allocate.
func (l *List) Contains(a netip.Addr, now int64) bool {
	if l == nil {
		return false
	}
	a = a.Unmap().WithZone("")
	for i := range l.parts {
		if now < l.parts[i].until && l.parts[i].table.Contains(a) {
			return true
		}
	}
	return false
}

// ExplainAt returns the most specific entry that lists a; of two alike the one
// that is written. It agrees with ContainsAt and is slower.
func (l *List) ExplainAt(a netip.Addr, m Moment) (Match, bool) {
	match, ok := l.Explain(a, m.Now)
	if l == nil || !a.IsValid() {
		return match, ok
	}
	bits := -1
	if ok {
		bits = match.Prefix.Bits()
	}
	if live, found := l.explainLive(a, m, bits); found {
		return live, true
	}
	return match, ok
}

// Explain is ExplainAt for the entries that are written alone, at the Unix second
// now; 0 asks as if no `until` had passed. It agrees with Contains and is slower.
func (l *List) Explain(a netip.Addr, now int64) (Match, bool) {
	return l.find(a, func(end int64) bool { return now < end })
}

// expired returns the most specific entry that listed a until some date that
// has passed.
func (l *List) expired(a netip.Addr, now int64) (Match, bool) {
	return l.find(a, func(end int64) bool { return now >= end })
}

// find returns the most specific entry that covers a and whose end counts.
func (l *List) find(a netip.Addr, counts func(end int64) bool) (Match, bool) {
	if l == nil || !a.IsValid() {
		return Match{}, false
	}
	a = a.Unmap().WithZone("")
	var best *entry
	var from member
	for _, m := range l.members {
		e := m.group.covering(netip.PrefixFrom(a, a.BitLen()), func(e *entry) bool {
			return counts(min(e.until, m.until))
		})
		if e != nil && (best == nil || e.prefix.Bits() > best.prefix.Bits()) {
			best, from = e, m
		}
	}
	if best == nil {
		return Match{}, false
	}
	return from.match(best), true
}

func (m member) match(e *entry) Match {
	match := Match{Prefix: e.prefix, Pos: e.pos, Set: m.group.set, Why: cmp.Or(e.why, m.why)}
	if end := min(e.until, m.until); end != never {
		match.Until = time.Unix(end, 0).UTC()
	}
	return match
}

// Entries returns every entry that is written, set by set, each set by address.
func (l *List) Entries() iter.Seq[Match] {
	return func(yield func(Match) bool) {
		if l == nil {
			return
		}
		for _, m := range l.members {
			for i := range m.group.entries {
				if !yield(m.match(&m.group.entries[i])) {
					return
				}
			}
		}
	}
}

// Empty reports whether l lists nobody, at any time.
func (l *List) Empty() bool { return l == nil || len(l.parts)+len(l.live) == 0 }

// NextUntil returns the first instant later than after at which an entry ends.
func (l *List) NextUntil(after time.Time) (next time.Time, ok bool) {
	if l == nil {
		return time.Time{}, false
	}
	soonest := int64(never)
	for _, p := range l.parts {
		if p.until > after.Unix() {
			soonest = min(soonest, p.until)
		}
	}
	for i := range l.live {
		if until := l.live[i].until; until > after.Unix() {
			soonest = min(soonest, until)
		}
	}
	if soonest == never {
		return time.Time{}, false
	}
	return time.Unix(soonest, 0).UTC(), true
}

// Overlaps returns an entry of l and an entry of o that have an address in
// common, whatever their dates. Live sources are left aside.
func (l *List) Overlaps(o *List) (mine, other Match, ok bool) {
	if l == nil || o == nil {
		return Match{}, Match{}, false
	}
	for _, m := range l.members {
		for _, n := range o.members {
			if e, f := m.group.common(n.group); e != nil {
				return m.match(e), n.match(f), true
			}
		}
	}
	return Match{}, Match{}, false
}

// common returns an entry of g and an entry of h that overlap, or nil.
func (g *group) common(h *group) (mine, other *entry) {
	if len(g.entries) > len(h.entries) {
		other, mine = h.common(g)
		return mine, other
	}
	for i := range g.entries {
		if f := h.overlapping(g.entries[i].prefix); f != nil {
			return &g.entries[i], f
		}
	}
	return nil, nil
}

// Digest is equal for two lists only if they list the same addresses at every
// instant. Lists that write the same addresses in other networks, or spread
// over other sets, differ.
func (l *List) Digest() [sha256.Size]byte {
	if l == nil {
		return digestOfMembers(nil, false)
	}
	return l.digest
}
