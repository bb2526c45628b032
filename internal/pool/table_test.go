package pool

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

var byClient = Rules{Balance: Balance{Policy: HashClient}, Ejection: builtinEjection}

// places returns where each of n requests goes, as the addresses of backends.
func places(p *Pool, n int) []string {
	list := make([]string, n)
	for i := range list {
		if seat := once(p, mix(uint64(i))); seat >= 0 {
			list[i] = p.seats()[seat].declared.Address()
		}
	}
	return list
}

func moved(a, b []string) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

func TestTableShares(t *testing.T) {
	for _, test := range []struct {
		name  string
		texts []string
	}{
		{"3", slices.Repeat([]string{""}, 3)},
		{"32", slices.Repeat([]string{""}, 32)},
		{"256", slices.Repeat([]string{""}, 256)},
		{"weighted", []string{"weight 5", "weight 1", "weight 2"}},
	} {
		p := poolOf(t, byClient, test.texts...)
		weights := 0
		for _, s := range p.seats() {
			weights += s.declared.Weight()
		}
		slots := make([]int, len(p.seats()))
		for _, seat := range p.view.Load().roster.table {
			slots[seat]++
		}
		for i, s := range p.seats() {
			want := float64(len(p.view.Load().roster.table)*s.declared.Weight()) / float64(weights)
			if got := float64(slots[i]); got < want-2 || got > want+2 {
				t.Errorf("%s: backend %d has %v slots, want %.1f", test.name, i, got, want)
			}
		}
	}
}

// A backend that leaves takes its own share along and little else.
func TestTableMovement(t *testing.T) {
	const n = 20_000
	for _, count := range []int{3, 10, 30, 64} {
		all := backends(t, slices.Repeat([]string{""}, count)...)
		before := places(New("t /", NewPlan(all, byClient), Options{}), n)
		without := slices.Delete(slices.Clone(all), 1, 2)
		after := places(New("t /", NewPlan(without, byClient), Options{}), n)
		if got, most := float64(moved(before, after))/n, 1/float64(count)+0.05; got > most {
			t.Errorf("%d backends: %.3f of the requests move, want at most %.3f", count, got, most)
		}
	}
}

// A backend that fails takes no other backend's requests along, its own spread
// over all others, and they come back with it.
func TestTableWhileOneIsAway(t *testing.T) {
	const n = 10_000
	p := poolOf(t, byClient, slices.Repeat([]string{""}, 8)...)
	before := places(p, n)
	gone := p.seats()[3]
	p.eject(gone.Member, time.Now(), "test", false)
	during := places(p, n)
	heirs := make(map[string]int)
	for i := range before {
		switch {
		case before[i] == gone.declared.Address():
			heirs[during[i]]++
		case before[i] != during[i]:
			t.Fatalf("request %d moved from %s to %s", i, before[i], during[i])
		}
	}
	for heir, n := range heirs {
		if n < 100 || n > 260 {
			t.Errorf("%s got %d of the requests, want about 180", heir, n)
		}
	}
	if len(heirs) != 7 {
		t.Errorf("%d heirs, want 7", len(heirs))
	}
	gone.readmit(time.Now())
	if got := moved(before, places(p, n)); got != 0 {
		t.Errorf("%d requests did not come back", got)
	}
}

func TestHash(t *testing.T) {
	seen := make(map[uint64]string)
	for i := range 2000 {
		for _, text := range []string{fmt.Sprint(i), fmt.Sprintf("client-%08d", i), fmt.Sprintf("%d-and-a-long-tail-of-text", i)} {
			h := Hash([]byte(text))
			if other, twice := seen[h]; twice {
				t.Fatalf("%q and %q have the same hash", text, other)
			}
			seen[h] = text
		}
	}
	if Hash([]byte("a")) == Hash([]byte("a\x00")) {
		t.Error("a zero at the end does not count")
	}
}
