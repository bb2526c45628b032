package ipallow

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// entry is one network of a set or list.
type entry struct {
	prefix netip.Prefix
	until  int64 // the first second at which it no longer counts; never if it stays
	why    string
	pos    Pos
}

// never is the end of what has no end. It is 0 in the API, and the largest
// number here so that ends compare.
const never = 1<<63 - 1

// group is a compiled collection of entries: a set, or what one list writes
// itself. It is immutable.
type group struct {
	set     string  // the set's name; empty for the entries of one list
	entries []entry // by address, then length, shortest first; no prefix twice
	sources []mention
	parts   []part
	size    extent
	digest  [sha256.Size]byte
}

// part is the entries of a group that end together.
type part struct {
	table *bart.Lite
	until int64
}

// newGroup takes over entries and sources. Of entries with the same prefix it
// keeps the one that lasts longest and returns the others.
func newGroup(set string, entries []entry, sources []mention) (g *group, repeated []entry) {
	g = &group{set: set, sources: sources}
	g.entries, repeated = distinct(entries)
	byEnd := make(map[int64]*bart.Lite)
	for i := range g.entries {
		e := &g.entries[i]
		table := byEnd[e.until]
		if table == nil {
			table = new(bart.Lite)
			byEnd[e.until] = table
			g.parts = append(g.parts, part{table, e.until})
		}
		table.Insert(e.prefix)
	}
	// What stays is asked first: it is most of what is written.
	slices.SortFunc(g.parts, func(a, b part) int { return cmp.Compare(b.until, a.until) })
	g.size = extentOf(g.prefixes())
	g.digest = digestOf(g.entries, sources)
	return g, repeated
}

func distinct(entries []entry) (kept, repeated []entry) {
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(comparePrefixes(a.prefix, b.prefix), cmp.Compare(b.until, a.until))
	})
	kept = entries[:0]
	for _, e := range entries {
		if len(kept) > 0 && kept[len(kept)-1].prefix == e.prefix {
			repeated = append(repeated, e)
		} else {
			kept = append(kept, e)
		}
	}
	return kept, repeated
}

// comparePrefixes orders by address, then by length, so that a prefix stands
// right before everything inside it.
func comparePrefixes(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

func digestOf(entries []entry, sources []mention) [sha256.Size]byte {
	hash := sha256.New()
	for i := range sources {
		id := sources[i].source.ID()
		hash.Write(binary.BigEndian.AppendUint64(id[:], uint64(sources[i].until)))
	}
	record := make([]byte, 0, 32) // an address, its length and family, an end
	for i := range entries {
		e := &entries[i]
		record = append(record[:0], byte(e.prefix.Addr().BitLen()), byte(e.prefix.Bits()))
		record = append(record, e.prefix.Addr().AsSlice()...)
		record = binary.BigEndian.AppendUint64(record, uint64(e.until))
		hash.Write(record)
	}
	return [sha256.Size]byte(hash.Sum(nil))
}

func (g *group) prefixes() []netip.Prefix {
	prefixes := make([]netip.Prefix, len(g.entries))
	for i := range g.entries {
		prefixes[i] = g.entries[i].prefix
	}
	return prefixes
}

// covering returns the most specific entry that holds all of p and that keep
// accepts, or nil.
func (g *group) covering(p netip.Prefix, keep func(*entry) bool) *entry {
	for bits := p.Bits(); bits >= 0; bits-- {
		wider, err := p.Addr().Prefix(bits)
		if err != nil {
			return nil
		}
		i, ok := g.search(wider)
		if ok && keep(&g.entries[i]) {
			return &g.entries[i]
		}
	}
	return nil
}

// covers reports whether one entry holds all of p, whatever its date.
func (g *group) covers(p netip.Prefix) bool {
	return slices.ContainsFunc(g.parts, func(part part) bool { return part.table.LookupPrefix(p) })
}

// inside returns the entries that lie within p, p itself included.
func (g *group) inside(p netip.Prefix) []entry {
	from, _ := g.search(p)
	to := from
	for to < len(g.entries) && p.Contains(g.entries[to].prefix.Addr()) {
		to++
	}
	return g.entries[from:to]
}

// overlapping returns an entry that has an address in common with p, or nil.
func (g *group) overlapping(p netip.Prefix) *entry {
	if e := g.covering(p, anyEntry); e != nil {
		return e
	}
	i, _ := g.search(p)
	if i < len(g.entries) && p.Contains(g.entries[i].prefix.Addr()) {
		return &g.entries[i]
	}
	return nil
}

func (g *group) search(p netip.Prefix) (index int, found bool) {
	return slices.BinarySearchFunc(g.entries, p, func(e entry, p netip.Prefix) int {
		return comparePrefixes(e.prefix, p)
	})
}

func anyEntry(*entry) bool { return true }
