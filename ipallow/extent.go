package ipallow

import (
	"math"
	"math/bits"
	"net/netip"
	"slices"
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

// everybody reports whether e is more than half of IPv4, or more than half of
// what IPv6 gives to anyone (2000::/3, RFC 4291 section 2.4): with the whole but
// for some addresses, nearly everybody is in.
func (e extent) everybody() bool {
	const v4Half, v6HalfHi = 1 << (32 - 1), 1 << (128 - 4 - 64)
	return e.v4 > v4Half || e.v6hi > v6HalfHi || e.v6hi == v6HalfHi && e.v6lo > 0
}

// extent measures the union of l. What is not wide may be measured too large.
func (l *List) extent() extent {
	var bound extent
	for _, m := range l.members {
		bound = bound.plus(m.group.size)
	}
	if !bound.wide() || len(l.members) < 2 {
		return bound
	}
	// The sum of the members is an upper bound; only here may they overlap.
	var all []netip.Prefix
	for _, m := range l.members {
		all = append(all, m.group.prefixes()...)
	}
	slices.SortFunc(all, comparePrefixes)
	return extentOf(all)
}
