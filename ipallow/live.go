package ipallow

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/gaissmai/bart"
)

// Moment is what a list is asked by: an instant, and what live sources list
// then.
type Moment struct {
	Now  int64 // Unix seconds; 0 asks as if no `until` had passed
	Live *Live // nil: live sources list nobody
}

// Contents are one answer of a live source, compiled. They are immutable.
type Contents struct {
	prefixes []netip.Prefix // by address, then length, each once
	table    *bart.Lite
}

// NewContents compiles an answer. It refuses one that covers more than an IPv4
// /8 or an IPv6 /20: an access list that is written must say why it is as wide,
// and here there is nobody to ask.
func NewContents(prefixes []netip.Prefix) (*Contents, error) {
	c := &Contents{prefixes: slices.Clone(prefixes), table: new(bart.Lite)}
	slices.SortFunc(c.prefixes, comparePrefixes)
	c.prefixes = slices.Compact(c.prefixes)
	if extentOf(c.prefixes).wide() {
		return nil, errors.New("it covers more than a /8, or more than a /20 of IPv6")
	}
	for _, p := range c.prefixes {
		c.table.Insert(p)
	}
	return c, nil
}

// Len returns how many networks there are.
func (c *Contents) Len() int { return len(c.prefixes) }

// Prefixes returns the networks by address.
func (c *Contents) Prefixes() []netip.Prefix { return slices.Clone(c.prefixes) }

// Equal reports whether both list the same networks.
func (c *Contents) Equal(o *Contents) bool { return slices.Equal(c.prefixes, o.prefixes) }

// covering returns the most specific network that holds a.
func (c *Contents) covering(a netip.Addr) (netip.Prefix, bool) {
	return c.table.LookupPrefixLPM(netip.PrefixFrom(a, a.BitLen()))
}

// Known is what is known of a live source.
type Known struct {
	Contents *Contents
	// Past is set when nothing newer has come for so long that it admits nobody
	// any more. Whom it keeps out it goes on to keep out.
	Past bool
}

// Live is what live sources list, as far as it is known. It is immutable; a nil
// Live knows nothing.
type Live struct {
	known  map[SourceID]Known
	assume assumption
}

type assumption uint8

const (
	asKnown    assumption = iota
	allAdmit              // sources admit everybody, and refuse nobody
	noneAdmits            // they admit nobody, and refuse everybody
)

// NewLive returns what known says. It takes the map over.
func NewLive(known map[SourceID]Known) *Live { return &Live{known: known} }

// Bounds returns the two ends of what live sources may come to: one under which
// they let in everybody, and one under which they let in nobody. What is decided
// alike under both does not depend on them.
func Bounds() (most, least *Live) {
	return &Live{assume: allAdmit}, &Live{assume: noneAdmits}
}

// Same reports whether a source lists by l just what it lists by o. What is
// known by both is to be the very same Contents.
func (l *Live) Same(o *Live, id SourceID) bool { return l.of(id) == o.of(id) }

func (l *Live) of(id SourceID) Known {
	if l == nil {
		return Known{}
	}
	return l.known[id]
}

// lists reports whether the source lists a, for a list that refuses or admits.
func (l *Live) lists(s *Source, a netip.Addr, refuses bool) bool {
	switch {
	case l == nil:
		return false
	case l.assume == allAdmit:
		return !refuses
	case l.assume == noneAdmits:
		return refuses
	}
	k := l.known[s.id]
	return k.Contents != nil && (refuses || !k.Past) && k.Contents.table.Contains(a)
}

// liveIn is a live source of a list, with the end that holds there.
type liveIn struct {
	mention
	set string // that holds it
}

// livesIn reports whether a live source of l lists a.
func (l *List) livesIn(a netip.Addr, m Moment) bool {
	a = a.Unmap().WithZone("")
	for i := range l.live {
		if p := &l.live[i]; m.Now < p.until && m.Live.lists(p.source, a, l.refuses) {
			return true
		}
	}
	return false
}

// explainLive returns the most specific network by which a live source lists a,
// if it is more specific than bits.
func (l *List) explainLive(a netip.Addr, m Moment, bits int) (best Match, ok bool) {
	a = a.Unmap().WithZone("")
	for i := range l.live {
		p := &l.live[i]
		if m.Now >= p.until || !m.Live.lists(p.source, a, l.refuses) {
			continue
		}
		contents := m.Live.of(p.source.id).Contents
		if contents == nil {
			continue // it is assumed
		}
		if prefix, found := contents.covering(a); found && prefix.Bits() > bits {
			best, ok, bits = p.match(prefix), true, prefix.Bits()
		}
	}
	return best, ok
}

func (p *liveIn) match(prefix netip.Prefix) Match {
	m := Match{Prefix: prefix, Pos: p.pos, Set: p.set, Why: p.why, Source: p.source}
	if p.until != never {
		m.Until = time.Unix(p.until, 0).UTC()
	}
	return m
}

// Sources returns the live sources of l, each as often as it is named.
func (l *List) Sources() []*Source {
	if l == nil {
		return nil
	}
	sources := make([]*Source, len(l.live))
	for i := range l.live {
		sources[i] = l.live[i].source
	}
	return sources
}

// Unknown says of which sources nothing is known, or nothing that still admits:
// the end of a sentence, or "" where all is known.
func (l *List) Unknown(m Moment) string {
	if l == nil {
		return ""
	}
	var silent, past []string
	for i := range l.live {
		switch k := m.Live.of(l.live[i].source.id); {
		case k.Contents == nil:
			silent = append(silent, l.live[i].source.String())
		case k.Past && !l.refuses:
			past = append(past, l.live[i].source.String())
		}
	}
	text := ""
	if len(silent) > 0 {
		text += "; what " + strings.Join(silent, " and ") + " lists is not known"
	}
	if len(past) > 0 {
		text += "; what " + strings.Join(past, " and ") + " listed is kept too long to admit"
	}
	return text
}
