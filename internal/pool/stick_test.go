package pool

import (
	"testing"
	"time"

	"gatehouse/internal/conf"
)

func TestStickySpec(t *testing.T) {
	for text, want := range map[string]string{
		"sticky: app": "sticky by cookie app",
		"sticky: {cookie: __Host-a, max_age: 8h}": "sticky by cookie __Host-a for 8h",
		"sticky: off":                       "not sticky",
		"sticky: {max_age: 1h}":             "not sticky",
		"sticky: \"a b\"":                   `f:1:9: cookie "a b" is no name; expected letters, digits, - and _`,
		"sticky: true":                      `f:1:9: "true" names no cookie; expected the name of the one that keeps clients`,
		"sticky: on":                        `f:1:9: "on" names no cookie; expected the name of the one that keeps clients`,
		"sticky: {cookie: Yes}":             `f:1:18: "Yes" names no cookie; expected the name of the one that keeps clients`,
		"sticky: false":                     `f:1:9: "false" names no cookie; expected the name of one, or off`,
		"sticky: {cookie: a, max_age: 1s}":  `f:1:30: max_age is "1s"; expected 1m to 90d`,
		"sticky: {cookie: a, max_age: 91d}": `f:1:30: max_age is "91d"; expected 1m to 90d`,
	} {
		var f struct {
			Sticky *StickySpec `conf:"sticky" doc:"d"`
		}
		r := new(conf.Report)
		conf.Decode("f", []byte(text), &f, r)
		got := f.Sticky.Compile().String()
		if list := r.Findings(); len(list) > 0 {
			got = list[0].Pos.String() + ": " + list[0].Text
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

// stickyPool keeps clients, by the hash of a backend's name.
func stickyPool(t testing.TB, rules Rules, texts ...string) *Pool {
	rules.Sticky = Sticky{Cookie: "c"}
	return New("t /", NewPlan(backends(t, texts...), rules), Options{Place: hashText})
}

// placeAt returns the place of a seat.
func (p *Pool) placeAt(seat int) uint64 { return p.seats()[seat].at }

// comesTo returns the seat that a client with these places comes to, and whether
// that is a new one for it.
func comesTo(p *Pool, repeatable bool, places ...uint64) (seat int, fresh bool) {
	round := p.Round(0, repeatable)
	defer round.Release()
	round.Prefer(places, time.Now())
	seat = p.seatOf(round.Next(time.Now()))
	_, fresh = round.Placed()
	return seat, fresh
}

// A client stays where it is while that takes requests, whatever the policy.
func TestPrefer(t *testing.T) {
	for _, policy := range []Policy{RoundRobin, LeastRequests, HashClient} {
		p := stickyPool(t, Rules{Balance: Balance{Policy: policy}, Ejection: builtinEjection}, "weight 100", "", "", "backup", "drain")
		for range 20 {
			for seat := range 3 {
				if got, fresh := comesTo(p, true, p.placeAt(seat)); got != seat || fresh {
					t.Fatalf("%v: who is at %d comes to %d, new %t", policy, seat, got, fresh)
				}
			}
		}
		for what, place := range map[string]uint64{"a backup": p.placeAt(3), "a drained one": p.placeAt(4), "one that nobody has": 7, "none": 0} {
			if got, fresh := comesTo(p, true, place); got > 2 || !fresh {
				t.Errorf("%v: who is at %s comes to %d, new %t", policy, what, got, fresh)
			}
		}
		if got, fresh := comesTo(p, true, 7, p.placeAt(2), p.placeAt(1)); got != 2 || fresh {
			t.Errorf("%v: who was at 2 and then at 1 comes to %d, new %t, want the first", policy, got, fresh)
		}
	}
}

// While only backups take requests, clients stay at theirs.
func TestPreferBackup(t *testing.T) {
	p := stickyPool(t, Rules{}, "drain", "backup", "backup")
	for range 5 {
		if got, fresh := comesTo(p, true, p.placeAt(2)); got != 2 || fresh {
			t.Errorf("came to %d, new %t, want the backup 2", got, fresh)
		}
	}
}

// Who is placed at an ejected backend is placed anew. To try it again takes a
// client that is at no other: sessions are not spent on it.
func TestPreferAndEjection(t *testing.T) {
	p := stickyPool(t, Rules{Ejection: Ejection{Failures: 1, First: time.Second, Longest: time.Second, Share: 50}}, "", "")
	now := time.Now()
	round := p.Round(0, true)
	round.Prefer([]uint64{p.placeAt(0)}, now)
	round.Next(now)
	round.Failed(now, "test")
	if got := p.seatOf(round.Next(now)); got != 1 {
		t.Fatalf("after a failure the request comes to %d, want 1", got)
	}
	if place, fresh := round.Placed(); place != p.placeAt(1) || !fresh {
		t.Errorf("placed at %d, new %t, want a new place", place, fresh)
	}
	round.Release()
	if got, fresh := comesTo(p, true, p.placeAt(0)); got != 1 || !fresh {
		t.Errorf("who is at the ejected one comes to %d, new %t", got, fresh)
	}
	later := now.Add(time.Minute)
	for range 3 {
		round = p.Round(0, true)
		round.Prefer([]uint64{p.placeAt(1)}, later)
		if got := p.seatOf(round.Next(later)); got != 1 {
			t.Errorf("a probe takes a client from its place to %d", got)
		}
		round.Release()
	}
	round = p.Round(0, true)
	if got := p.seatOf(round.Next(later)); got != 0 {
		t.Errorf("a new client comes to %d, want to the ejected one, whose time is over", got)
	}
	round.Release()
}

// A place outlives the table, and what a backend is verified by.
func TestPlaceName(t *testing.T) {
	plain := backends(t, "", "weight 3 backup")
	b := *plain[0]
	b.key = b.keyOf("other authorities")
	if placeName(plain[0], plain[0].literal) != placeName(&b, b.literal) {
		t.Error("the place changes with the authorities")
	}
	if placeName(plain[0], plain[0].literal) == placeName(plain[1], plain[1].literal) {
		t.Error("two addresses have one place")
	}
	if p := New("t /", NewPlan(plain, Rules{Sticky: Sticky{Cookie: "c"}}), Options{}); p.Knows(p.placeAt(0)) {
		t.Error("a pool without places knows one")
	}
}
