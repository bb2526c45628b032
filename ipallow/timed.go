package ipallow

import (
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// Timed is a list of networks that each end at a second of their own. Unlike a
// List, whose entries end by the day, one question costs one lookup however
// many ends there are. It is immutable; a nil Timed is empty.
type Timed struct {
	ends    bart.Table[int64] // by network: when the last of those that hold all of it ends
	entries []TimedEntry      // by address, then length, shortest first
}

// TimedEntry is one network of a Timed.
type TimedEntry struct {
	Prefix netip.Prefix // as ParsePrefix returns it
	Until  int64        // the first Unix second at which it no longer counts
}

// NewTimed compiles entries.
func NewTimed(entries []TimedEntry) *Timed {
	t := &Timed{entries: slices.Clone(entries)}
	slices.SortFunc(t.entries, func(a, b TimedEntry) int { return comparePrefixes(a.Prefix, b.Prefix) })
	for _, e := range t.entries {
		end := e.Until
		if wider, ok := t.ends.LookupPrefix(e.Prefix); ok {
			end = max(end, wider)
		}
		t.ends.Insert(e.Prefix, end)
	}
	return t
}

// Contains reports whether a is listed at the Unix second now. It does not
// allocate.
func (t *Timed) Contains(a netip.Addr, now int64) bool {
	if t == nil || len(t.entries) == 0 {
		return false
	}
	end, ok := t.ends.Lookup(a.Unmap().WithZone(""))
	return ok && now < end
}

// Explain returns the most specific network that lists a at the Unix second
// now. It agrees with Contains and is slower.
func (t *Timed) Explain(a netip.Addr, now int64) (p netip.Prefix, ok bool) {
	if t == nil {
		return netip.Prefix{}, false
	}
	a = a.Unmap().WithZone("")
	for _, e := range slices.Backward(t.entries) {
		if now < e.Until && e.Prefix.Contains(a) {
			return e.Prefix, true // what is inside another stands behind it
		}
	}
	return netip.Prefix{}, false
}
