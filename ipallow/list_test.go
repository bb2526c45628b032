package ipallow

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// twin is a list as a loop over what is written.
type twin []twinEntry

type twinEntry struct {
	prefix netip.Prefix
	until  int64
}

func (w twin) contains(a netip.Addr, now int64) bool {
	a = a.Unmap().WithZone("")
	for _, e := range w {
		if e.prefix.Contains(a) && (e.until == never || now < e.until) {
			return true
		}
	}
	return false
}

// build makes a list of one group for each member, and its twin.
func build(members ...twin) (*List, twin) {
	var compiled []member
	var all twin
	for i, w := range members {
		entries := make([]entry, len(w))
		for j, e := range w {
			entries[j] = entry{prefix: e.prefix, until: e.until, pos: Pos{File: "f", Line: i + 1, Col: j + 1}}
		}
		g, _ := newGroup(fmt.Sprintf("set%d", i), entries, nil)
		compiled = append(compiled, member{group: g, until: never})
		all = append(all, w...)
	}
	return newList(compiled, false), all
}

// testAddress draws from few networks, so that prefixes and addresses meet.
func testAddress(n uint32) netip.Addr {
	switch n % 4 {
	case 0:
		b := netip.MustParseAddr("2001:db8::").As16()
		binary.BigEndian.PutUint32(b[4:], n>>4&0xff<<24|n&0xf)
		binary.BigEndian.PutUint32(b[12:], n>>8)
		return netip.AddrFrom16(b)
	case 1:
		return netip.AddrFrom16(netip.AddrFrom4([4]byte{10, byte(n >> 8 & 3), byte(n >> 16), byte(n >> 24)}).As16())
	}
	return netip.AddrFrom4([4]byte{10, byte(n >> 8 & 3), byte(n >> 16), byte(n >> 24)})
}

// testList reads members from bytes: six for each entry.
func testList(data []byte) (*List, twin) {
	members := make([]twin, 3)
	for record := range slices.Chunk(data, 6) {
		if len(record) < 6 {
			break
		}
		a := testAddress(binary.BigEndian.Uint32(record)).Unmap()
		p, err := a.Prefix(int(record[4]) % (a.BitLen() + 1))
		if err != nil {
			continue
		}
		e := twinEntry{p, never}
		if record[5]&1 == 1 {
			e.until = 1 + int64(record[5]>>4)
		}
		i := int(record[5]) >> 1 % len(members)
		members[i] = append(members[i], e)
	}
	return build(members...)
}

func checkAgainstTwin(t *testing.T, l *List, w twin, a netip.Addr, now int64) {
	t.Helper()
	want := w.contains(a, now)
	if got := l.Contains(a, now); got != want {
		t.Errorf("Contains(%v, %d) = %v, want %v, of %v", a, now, got, want, w)
	}
	m, ok := l.Explain(a, now)
	if ok != want {
		t.Errorf("Explain(%v, %d) says %v, Contains %v, of %v", a, now, ok, want, w)
	}
	if ok && (!m.Prefix.Contains(a.Unmap().WithZone("")) || !m.Until.IsZero() && now >= m.Until.Unix()) {
		t.Errorf("Explain(%v, %d) = %v, which does not list it", a, now, m)
	}
	for _, e := range w {
		if ok && e.prefix.Contains(a.Unmap()) && now < e.until && e.prefix.Bits() > m.Prefix.Bits() {
			t.Errorf("Explain(%v, %d) = %v, want the more specific %v", a, now, m, e.prefix)
		}
	}
}

func FuzzList(f *testing.F) {
	f.Add([]byte{0, 0, 0, 3, 24, 0, 1, 2, 3, 4, 120, 0x31}, []byte{}, uint32(0x01020304), uint8(2))
	f.Add([]byte{9, 9, 1, 2, 16, 2}, []byte{9, 9, 1, 2, 18, 2}, uint32(0x09090102), uint8(0))
	f.Add([]byte{0, 0, 0, 2, 0, 0}, []byte{0, 0, 0, 2, 9, 0, 0, 0x80, 0, 2, 9, 0}, uint32(4), uint8(1))
	f.Fuzz(func(t *testing.T, mine, others []byte, n uint32, second uint8) {
		if len(mine)+len(others) > 600 {
			return // the twins take the product of the lengths
		}
		l, w := testList(mine)
		o, v := testList(others)
		now := int64(second % 18)
		checkAgainstTwin(t, l, w, testAddress(n), now)
		for _, e := range w {
			checkAgainstTwin(t, l, w, e.prefix.Addr(), now)
		}
		checkOverlaps(t, l, o, w, v)
		checkGaps(t, l, o, w, v)
		checkNextUntil(t, l, w, now)
	})
}

func checkOverlaps(t *testing.T, l, o *List, w, v twin) {
	t.Helper()
	want := false
	for _, e := range w {
		want = want || slices.ContainsFunc(v, func(f twinEntry) bool { return e.prefix.Overlaps(f.prefix) })
	}
	mine, other, got := l.Overlaps(o)
	if got != want || got && !mine.Prefix.Overlaps(other.Prefix) {
		t.Errorf("Overlaps = %v, %v, %v, want %v, of %v and %v", mine, other, got, want, w, v)
	}
}

// checkGaps samples: what a gap names is not covered, and where there is none
// every end of every network is.
func checkGaps(t *testing.T, outer, inner *List, w, v twin) {
	t.Helper()
	undated := slices.Clone(w)
	for i := range undated {
		undated[i].until = never
	}
	var gaps []gap
	new(Nesting).gaps(outer, inner, func(g gap) { gaps = append(gaps, g) })
	for _, g := range gaps {
		if undated.contains(g.part.Addr(), 0) || !g.entry.Prefix.Contains(g.part.Addr()) {
			t.Errorf("gap %v of %v is covered by %v", g.part, g.entry, w)
		}
	}
	if len(gaps) > 0 {
		return
	}
	for _, e := range v {
		if !undated.contains(e.prefix.Addr(), 0) {
			t.Errorf("no gap, but %v lacks %v", w, e.prefix.Addr())
		}
	}
}

func checkNextUntil(t *testing.T, l *List, w twin, now int64) {
	t.Helper()
	want := int64(never)
	for _, e := range w {
		// A prefix that is written twice in one member counts with its longest.
		shadowed := slices.ContainsFunc(w, func(f twinEntry) bool { return f.prefix == e.prefix && f.until > e.until })
		if e.until > now && !shadowed {
			want = min(want, e.until)
		}
	}
	next, ok := l.NextUntil(time.Unix(now, 0))
	if want == never && !ok {
		return
	}
	// Members shadow only themselves, so the list may name an earlier end.
	if !ok || next.Unix() <= now || next.Unix() > want {
		t.Errorf("NextUntil(%d) = %v, %v, want %d or sooner, of %v", now, next, ok, want, w)
	}
}

func TestListAgainstTwinAtRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 6*200)
	for range 50 {
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		l, w := testList(data)
		for range 200 {
			checkAgainstTwin(t, l, w, testAddress(random.Uint32()), int64(random.IntN(18)))
		}
	}
}

func TestListIgnoresZoneAndMapping(t *testing.T) {
	l, _ := build(twin{{netip.MustParsePrefix("192.0.2.0/24"), never}, {netip.MustParsePrefix("fe80::/10"), never}})
	for _, text := range []string{"192.0.2.1", "::ffff:192.0.2.1", "fe80::1", "fe80::1%eth0"} {
		if !l.Contains(netip.MustParseAddr(text), 0) {
			t.Errorf("Contains(%s) = false, want true", text)
		}
	}
	for _, a := range []netip.Addr{{}, netip.MustParseAddr("::192.0.2.1"), netip.MustParseAddr("192.0.3.1")} {
		if l.Contains(a, 0) {
			t.Errorf("Contains(%v) = true, want false", a)
		}
		if _, ok := l.Explain(a, 0); ok {
			t.Errorf("Explain(%v) found an entry", a)
		}
	}
}

func TestNilListIsEmpty(t *testing.T) {
	var l *List
	empty, _ := build()
	if l.Contains(netip.MustParseAddr("192.0.2.1"), 0) || !l.Empty() || l.Digest() != empty.Digest() {
		t.Error("a nil List is not empty")
	}
	for range l.Entries() {
		t.Error("a nil List has an entry")
	}
	if _, _, ok := l.Overlaps(empty); ok {
		t.Error("a nil List overlaps something")
	}
}

func TestListDigest(t *testing.T) {
	a, b := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")
	base, _ := build(twin{{a, never}, {b, never}})
	for name, test := range map[string]struct {
		list *List
		same bool
	}{
		"order of entries": {first(build(twin{{b, never}, {a, never}})), true},
		"repeated entry":   {first(build(twin{{a, never}, {b, never}, {a, 5}})), true},
		"empty member":     {first(build(twin{}, twin{{a, never}, {b, never}})), true},
		"entry less":       {first(build(twin{{a, never}})), false},
		"entry more":       {first(build(twin{{a, never}, {b, never}, {netip.MustParsePrefix("192.0.3.0/24"), never}})), false},
		"date":             {first(build(twin{{a, never}, {b, 5}})), false},
		"length":           {first(build(twin{{a, never}, {netip.MustParsePrefix("2001:db8::/33"), never}})), false},
	} {
		if got := test.list.Digest() == base.Digest(); got != test.same {
			t.Errorf("%s: equal digests %v, want %v", name, got, test.same)
		}
	}
}

func first(l *List, _ twin) *List { return l }

func TestExtent(t *testing.T) {
	for _, test := range []struct {
		prefixes []string
		wide     bool
	}{
		{[]string{"10.0.0.0/8"}, false},
		{[]string{"10.0.0.0/8", "10.1.0.0/16"}, false},
		{[]string{"10.0.0.0/8", "192.0.2.1/32"}, true},
		{[]string{"10.0.0.0/7"}, true},
		{[]string{"0.0.0.0/0"}, true},
		{[]string{"2001::/20"}, false},
		{[]string{"2001::/20", "2001:db8::/32"}, false},
		{[]string{"2001::/20", "2003::1/128"}, true},
		{[]string{"2000::/19"}, true},
		{[]string{"::/0"}, true},
		{[]string{"10.0.0.0/8", "2001::/20"}, false},
		{nil, false},
	} {
		together := make(twin, len(test.prefixes))
		apart := make([]twin, len(test.prefixes))
		for i, p := range test.prefixes {
			together[i] = twinEntry{netip.MustParsePrefix(p), never}
			apart[i] = twin{together[i]}
		}
		if got := first(build(together)).extent().wide(); got != test.wide {
			t.Errorf("%v in one set: wide = %v, want %v", test.prefixes, got, test.wide)
		}
		if got := first(build(apart...)).extent().wide(); got != test.wide {
			t.Errorf("%v in sets of their own: wide = %v, want %v", test.prefixes, got, test.wide)
		}
	}
}

func TestContainsAllocatesNothing(t *testing.T) {
	l, _ := testList([]byte{0, 0, 0, 3, 24, 0, 1, 2, 3, 4, 120, 0x31, 4, 5, 6, 7, 9, 2})
	c := &Access{allow: l, except: l}
	addresses := []netip.Addr{testAddress(0), testAddress(1), testAddress(2), netip.MustParseAddr("fe80::1%eth0")}
	if n := testing.AllocsPerRun(100, func() {
		for _, a := range addresses {
			c.Admits(a, 3)
		}
	}); n != 0 {
		t.Errorf("%v allocations in four decisions, want none", n)
	}
}

func BenchmarkContains(b *testing.B) {
	for _, n := range []int{10, 1_000, 1_000_000} {
		random := rand.New(rand.NewPCG(1, 2))
		entries := make(twin, n)
		for i := range entries {
			a := netip.AddrFrom4([4]byte{byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())})
			p, _ := a.Prefix(16 + random.IntN(17))
			entries[i] = twinEntry{p, never}
		}
		l, _ := build(entries)
		addresses := make([]netip.Addr, 1<<12)
		for i := range addresses {
			addresses[i] = netip.AddrFrom4([4]byte{byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())})
		}
		b.Run(fmt.Sprintf("prefixes=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.Contains(addresses[i%len(addresses)], 1)
			}
		})
	}
}

func BenchmarkCompileSet(b *testing.B) {
	entries := make([]entry, 1_000_000)
	for i := range entries {
		a := netip.AddrFrom4([4]byte{byte(i >> 12), byte(i >> 4), byte(i << 4), 0})
		entries[i] = entry{prefix: netip.PrefixFrom(a, 28), until: never}
	}
	for b.Loop() {
		newGroup("large", slices.Clone(entries), nil)
	}
}
