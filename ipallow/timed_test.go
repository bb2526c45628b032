package ipallow

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestTimed(t *testing.T) {
	t.Parallel()
	list := NewTimed([]TimedEntry{
		{netip.MustParsePrefix("203.0.113.7/32"), 100},
		{netip.MustParsePrefix("203.0.113.0/24"), 200},
		{netip.MustParsePrefix("203.0.113.64/26"), 300},
		{netip.MustParsePrefix("2001:db8::/32"), 100},
	})
	for _, c := range []struct {
		client string
		now    int64
		want   string // the network that lists it; "" for none
	}{
		{"203.0.113.7", 99, "203.0.113.7/32"},
		{"203.0.113.7", 100, "203.0.113.0/24"}, // the wider one outlasts it
		{"203.0.113.7", 200, ""},
		{"203.0.113.70", 199, "203.0.113.64/26"},
		{"203.0.113.70", 299, "203.0.113.64/26"},
		{"203.0.113.70", 300, ""},
		{"::ffff:203.0.113.7", 99, "203.0.113.7/32"},
		{"203.0.114.1", 0, ""},
		{"2001:db8::1", 99, "2001:db8::/32"},
		{"2001:db8::1%eth0", 99, "2001:db8::/32"},
		{"2001:db9::1", 0, ""},
	} {
		a := netip.MustParseAddr(c.client)
		p, ok := list.Explain(a, c.now)
		got := ""
		if ok {
			got = p.String()
		}
		if got != c.want || list.Contains(a, c.now) != ok {
			t.Errorf("%s at %d: listed by %q, contained %v; want %q", c.client, c.now, got, list.Contains(a, c.now), c.want)
		}
	}
	if (*Timed)(nil).Contains(netip.MustParseAddr("203.0.113.7"), 0) {
		t.Error("no list lists somebody")
	}
}

func BenchmarkTimed(b *testing.B) {
	var entries []TimedEntry
	for i := range 1000 {
		entries = append(entries, TimedEntry{netip.MustParsePrefix(fmt.Sprintf("203.%d.%d.0/24", i/250, i%250)), int64(i + 1)})
	}
	list, a := NewTimed(entries), netip.MustParseAddr("203.3.249.7")
	b.ReportAllocs()
	for b.Loop() {
		list.Contains(a, 1)
	}
}
