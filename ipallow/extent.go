package ipallow

import (
	"math"
	"math/bits"
	"net/netip"
	"slices"

	"go4.org/netipx"
)

// extent is how many addresses a collection of prefixes covers in union.
type extent struct {
	v4         uint64
	v6hi, v6lo uint64 // 128 bits; stays at the maximum where it would overflow
}

// extentOf measures prefixes that are sorted by comparePrefixes.
func extentOf(sorted []netip.Prefix) extent {
	var sum extent
	var last netip.Prefix
	for _, p := range sorted {
		// Prefixes never overlap in part, and what covers p stands before it.
		if last.IsValid() && last.Contains(p.Addr()) {
			continue
		}
		sum = sum.plus(extentOfPrefix(p))
		last = p
	}
	return sum
}

func extentOfPrefix(p netip.Prefix) extent {
	free := p.Addr().BitLen() - p.Bits()
	switch {
	case p.Addr().Is4():
		return extent{v4: 1 << free}
	case free == 128:
		return extent{v6hi: math.MaxUint64, v6lo: math.MaxUint64}
	case free >= 64:
		return extent{v6hi: 1 << (free - 64)}
	}
	return extent{v6lo: 1 << free}
}

func (e extent) plus(o extent) extent {
	lo, carry := bits.Add64(e.v6lo, o.v6lo, 0)
	hi, overflow := bits.Add64(e.v6hi, o.v6hi, carry)
	if overflow != 0 {
		hi, lo = math.MaxUint64, math.MaxUint64
	}
	return extent{v4: e.v4 + o.v4, v6hi: hi, v6lo: lo}
}

// wide reports whether e is more than an IPv4 /8 or more than an IPv6 /20: more
// than any one organisation is given, so hardly a list of its offices.
func (e extent) wide() bool {
	const v4Most, v6MostHi = 1 << (32 - 8), 1 << (128 - 20 - 64)
	return e.v4 > v4Most || e.v6hi > v6MostHi || e.v6hi == v6MostHi && e.v6lo > 0
}

// wide reports whether the union of l is more than lists usually cover.
func (l *List) wide() bool {
	var bound extent
	for _, m := range l.members {
		if m.group.size.wide() {
			return true
		}
		bound = bound.plus(m.group.size)
	}
	if !bound.wide() || len(l.members) < 2 {
		return false
	}
	// The sum of the members is an upper bound; only here may they overlap.
	var all []netip.Prefix
	for _, m := range l.members {
		all = append(all, m.group.prefixes()...)
	}
	slices.SortFunc(all, comparePrefixes)
	return extentOf(all).wide()
}

// uncovered returns the first network of p that l does not cover, whatever the
// dates of its entries.
func (l *List) uncovered(p netip.Prefix) (part netip.Prefix, ok bool) {
	for _, m := range l.members {
		if m.group.covers(p) {
			return netip.Prefix{}, false
		}
	}
	var rest netipx.IPSetBuilder
	rest.AddPrefix(p)
	for _, m := range l.members {
		for _, e := range m.group.inside(p) {
			rest.RemovePrefix(e.prefix)
		}
	}
	set, err := rest.IPSet()
	if err != nil || len(set.Prefixes()) == 0 {
		return netip.Prefix{}, false
	}
	return set.Prefixes()[0], true
}

// gap is something that a narrower list has and a wider one does not cover.
type gap struct {
	entry  Match
	part   netip.Prefix // of the entry, which the wider list lacks
	pos    Pos          // of the entry, or of the mention of its set
	shared bool         // the entry is of a set that another file defines
}

// gaps returns what inner lists and l does not cover, whatever the dates: each
// entry that inner writes itself, and of each set the first.
func (l *List) gaps(inner *List) []gap {
	var gaps []gap
	for _, m := range inner.members {
		if slices.ContainsFunc(l.members, func(wider member) bool { return wider.group == m.group }) {
			continue
		}
		for i := range m.group.entries {
			e := &m.group.entries[i]
			part, missing := l.uncovered(e.prefix)
			if !missing {
				continue
			}
			if m.group.set != "" {
				gaps = append(gaps, gap{m.match(e), part, m.pos, m.shared})
				break
			}
			gaps = append(gaps, gap{m.match(e), part, e.pos, false})
		}
	}
	return gaps
}
