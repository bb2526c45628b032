package pool

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/conf"
)

// backends compiles a backend for each text, like "weight 3" or "backup drain".
func backends(t testing.TB, texts ...string) []*Backend {
	t.Helper()
	var list []*Backend
	for i, text := range texts {
		spec := BackendSpec{URL: at(fmt.Sprintf("http://10.0.%d.%d", i>>8, i&255))}
		words := strings.Fields(text)
		for k, word := range words {
			switch word {
			case "weight":
				var n int
				fmt.Sscan(words[k+1], &n)
				spec.Weight = at(n)
			case "backup":
				spec.Backup = at(true)
			case "drain", "down":
				spec.State = at(word)
			}
		}
		r := new(conf.Report)
		b := CompileBackend(at(spec), noFile, r)
		if b == nil {
			t.Fatal(r.Findings())
		}
		list = append(list, b)
	}
	return list
}

func poolOf(t testing.TB, rules Rules, texts ...string) *Pool {
	return New("t /", NewPlan(backends(t, texts...), rules), Options{})
}

// seatOf returns which seat a member has.
func (p *Pool) seatOf(m *Member) int {
	return slices.IndexFunc(p.seats(), func(s seat) bool { return s.Member == m })
}

// once picks for one request, which then ends.
func once(p *Pool, hash uint64) int {
	round := p.Round(hash, true)
	defer round.Release()
	return p.seatOf(round.Next(time.Now()))
}

func seats(p *Pool, n int) string {
	var picked []int
	for i := range n {
		picked = append(picked, once(p, uint64(i)))
	}
	return fmt.Sprint(picked)
}

func TestRoundRobin(t *testing.T) {
	for _, test := range []struct {
		weights []string
		want    string
	}{
		{[]string{""}, "[0 0 0 0]"},
		{[]string{"", "", ""}, "[0 1 2 0 1 2]"},
		{[]string{"weight 7", "weight 7"}, "[0 1 0 1]"},
		{[]string{"weight 3", ""}, "[0 1 0 0 0 1 0 0]"},
		{[]string{"weight 5", "weight 1", "weight 1"}, "[0 0 0 1 0 2 0 0 0 0 1 0 2 0]"},
		{[]string{"", "drain", "down", ""}, "[0 3 0 3]"},
		{[]string{"", "backup"}, "[0 0 0]"},
		{[]string{"drain", "backup", "backup"}, "[1 2 1 2]"},
		{[]string{"drain", "down"}, "[-1 -1]"},
	} {
		p := poolOf(t, Rules{}, test.weights...)
		if got := seats(p, strings.Count(test.want, " ")+1); got != test.want {
			t.Errorf("%q: %s, want %s", test.weights, got, test.want)
		}
	}
}

// Over as many requests as the weights add up to, each backend gets its weight.
func TestRoundRobinIsExact(t *testing.T) {
	weights := []int{1000, 1, 17, 300, 999}
	var texts []string
	total := 0
	for _, w := range weights {
		texts = append(texts, fmt.Sprint("weight ", w))
		total += w
	}
	p := poolOf(t, Rules{}, texts...)
	got := make([]int, len(weights))
	for range total {
		got[once(p, 0)]++
	}
	if !slices.Equal(got, weights) {
		t.Errorf("shares %v, want %v", got, weights)
	}
}

// A request goes to each backend at most once, backups last, whatever the policy.
func TestRoundVisitsEachOnce(t *testing.T) {
	for _, policy := range []Policy{RoundRobin, LeastRequests, HashClient} {
		p := poolOf(t, Rules{Balance: Balance{Policy: policy}}, "", "backup", "weight 9", "", "drain")
		for hash := range uint64(200) {
			round := p.Round(mix(hash), true)
			var got []int
			for m := round.Next(time.Now()); m != nil; m = round.Next(time.Now()) {
				got = append(got, p.seatOf(m))
			}
			if len(got) != 4 || got[3] != 1 {
				t.Fatalf("%v: %v, want each of 0, 2, 3 and then 1", p.plan.Rules.Balance, got)
			}
			slices.Sort(got)
			if !slices.Equal(got, []int{0, 1, 2, 3}) {
				t.Fatalf("%v: %v", p.plan.Rules.Balance, got)
			}
		}
	}
}

func TestEqualBackendsCountOnce(t *testing.T) {
	list := backends(t, "", "")
	p := New("t /", NewPlan(append(list, list...), Rules{}), Options{})
	if len(p.seats()) != 2 {
		t.Errorf("%d seats, want 2", len(p.seats()))
	}
}

func TestInFlight(t *testing.T) {
	p := poolOf(t, Rules{}, "", "")
	round := p.Round(0, true)
	first := round.Next(time.Now())
	if first.InFlight() != 1 {
		t.Errorf("%d in flight, want 1", first.InFlight())
	}
	second := round.Next(time.Now())
	if first.InFlight() != 0 || second.InFlight() != 1 {
		t.Errorf("%d and %d in flight, want 0 and 1", first.InFlight(), second.InFlight())
	}
	round.Release()
	round.Release()
	if second.InFlight() != 0 {
		t.Errorf("%d in flight, want 0", second.InFlight())
	}
}

// Whoever has more to do gets less: a backend that finishes nothing gets none
// while others are idle.
func TestLeastRequests(t *testing.T) {
	p := poolOf(t, Rules{Balance: Balance{Policy: LeastRequests}}, "", "", "")
	for p.seats()[0].InFlight() == 0 {
		round := p.Round(0, true)
		if p.seatOf(round.Next(time.Now())) != 0 {
			round.Release()
		}
	}
	got := make([]int, 3)
	for range 3000 {
		got[once(p, 0)]++
	}
	if got[0] != 0 || got[1] < 1200 || got[2] < 1200 {
		t.Errorf("shares %v, want none for the busy one and half for each other", got)
	}
}

// Idle backends share by weight.
func TestLeastRequestsByWeight(t *testing.T) {
	p := poolOf(t, Rules{Balance: Balance{Policy: LeastRequests}}, "weight 3", "weight 1")
	got := make([]int, 2)
	for range 8000 {
		got[once(p, 0)]++
	}
	if got[0] < 5700 || got[0] > 6300 {
		t.Errorf("shares %v, want about 6000 and 2000", got)
	}
}

func TestPickDoesNotAllocate(t *testing.T) {
	for _, policy := range []Policy{RoundRobin, LeastRequests, HashClient} {
		p := poolOf(t, Rules{Balance: Balance{Policy: policy}}, slices.Repeat([]string{"weight 3", ""}, 32)...)
		now := time.Now()
		if n := testing.AllocsPerRun(100, func() {
			round := p.Round(mix(7), true)
			round.Next(now)
			round.Next(now)
			round.Succeeded(now)
			round.Release()
		}); n != 0 {
			t.Errorf("%v: %v allocations", p.plan.Rules.Balance, n)
		}
	}
}

// BenchmarkPick is a request's whole way: begin, pick among 64, report, release.
func BenchmarkPick(b *testing.B) {
	for name, texts := range map[string][]string{
		"even":     slices.Repeat([]string{""}, 64),
		"weighted": slices.Repeat([]string{"weight 3", ""}, 32),
	} {
		for _, policy := range []Policy{RoundRobin, LeastRequests, HashClient} {
			p := poolOf(b, Rules{Balance: Balance{Policy: policy}, Ejection: builtinEjection}, texts...)
			b.Run(fmt.Sprintf("%s/%s", p.plan.Rules.Balance, name), func(b *testing.B) {
				b.ReportAllocs()
				now := time.Now()
				for i := range b.N {
					round := p.Round(uint64(i)*0x9e3779b97f4a7c15, true)
					round.Next(now)
					round.Succeeded(now)
					round.Release()
				}
			})
		}
	}
}

// A request has one turn, however often it is offered: a backend that fails what
// it gets is not the first of more requests than its share.
func TestRoundRobinGivesOneTurn(t *testing.T) {
	p := poolOf(t, Rules{}, "", "", "weight 2")
	now, first := time.Now(), make([]int, 3)
	for range 40 {
		round := p.Round(0, true)
		first[p.seatOf(round.Next(now))]++
		for round.Next(now) != nil {
			continue
		}
		round.Release()
	}
	if want := []int{10, 10, 20}; !slices.Equal(first, want) {
		t.Errorf("first offered to %v, want %v", first, want)
	}
}

// A draw meets every unit of weight, however many there are: names have shares
// that differ, and with slow starts they come to more than 2^32.
func TestScale(t *testing.T) {
	const most = 1<<32 - 1
	for _, test := range []struct {
		x       uint32
		n, want uint64
	}{
		{0, 3, 0},
		{most, 3, 2},
		{1 << 31, 1 << 32, 1 << 31},
		{1 << 31, 5 << 32, 5 << 31},
		{most, 5 << 32, 5<<32 - 5},
	} {
		if got := scale(test.x, test.n); got != test.want {
			t.Errorf("%d of 2^32 below %d is %d, want %d", test.x, test.n, got, test.want)
		}
	}
	const backends = 64
	heavy := new(tier)
	for i := range uint8(backends) {
		heavy.add(i, 1<<27+uint64(i&1))
	}
	heavy.seal()
	came := make([]int, backends)
	const draws = 100 * backends
	for i := range uint64(draws) {
		came[heavy.at(scale(uint32(i<<32/draws), heavy.total))]++
	}
	if least := slices.Min(came); least < 99 {
		t.Errorf("of %d even draws one of %d backends gets %d, want its part", draws, backends, least)
	}
}
