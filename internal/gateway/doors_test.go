package gateway

import (
	"net/netip"
	"testing"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
)

// TestDoorKeepsItsList: a reload may narrow or widen the list of a door, and
// must not open the door by taking the list away.
func TestDoorKeepsItsList(t *testing.T) {
	only := func(text string) *loaded {
		var r conf.Report
		entry := conf.At[ipallow.EntrySpec]{V: ipallow.EntrySpec{IP: conf.At[string]{V: text, Pos: conf.Pos{Line: 1}}}}
		list := ipallow.CompileSets(nil, nil, &r).Compile(conf.List[ipallow.EntrySpec]{Items: []conf.At[ipallow.EntrySpec]{entry}}, &r)
		if r.Faults() > 0 {
			t.Fatal(r.Findings())
		}
		return &loaded{admission: admission{health: list}, table: new(tenancy.Table)}
	}
	first, second, none := only("192.0.2.1"), only("192.0.2.2"), &loaded{table: new(tenancy.Table)}
	for _, test := range []struct {
		name           string
		first, current *loaded
		one, two       bool // whether 192.0.2.1 and .2 are admitted
	}{
		{"as started", first, first, true, false},
		{"list changed", first, second, false, true},
		{"list taken away", first, none, true, false},
		{"list added", none, second, false, true},
		{"never a list", none, none, true, true},
	} {
		g := new(gateway)
		g.current.Store(test.current)
		admits := g.admits(test.first, healthList)
		for addr, want := range map[string]bool{"192.0.2.1": test.one, "192.0.2.2": test.two} {
			if got := admits(netip.MustParseAddr(addr)); got != want {
				t.Errorf("%s: admits(%s) = %v, want %v", test.name, addr, got, want)
			}
		}
	}
}
