package dns01

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/dnsquery"
	"gatehouse/internal/dnsquery/dnstest"
)

func TestPersist(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	const ours = `ca.example; accounturi=https://ca.example/acct/7`
	tests := []struct {
		text        string
		plain, star bool
	}{
		{ours, true, false},
		{ours + "; policy=wildcard", true, true},
		{"CA.Example;policy=WILDCARD ; accounturi = https://ca.example/acct/7", true, true},
		{ours + "; policy=other", true, false},
		{ours + "; future=1", true, false},
		{ours + "; persistUntil=1800000000", true, false},
		{ours + "; persistUntil=1763769600", false, false},
		{ours + "; persistUntil=soon", false, false},
		{ours + "; persistUntil=1800000000; persistUntil=1800000000", false, false},
		{ours + "; accounturi=https://ca.example/acct/7", false, false},
		{ours + "8", false, false},
		{"ca.example", false, false},
		{"other.example; accounturi=https://ca.example/acct/7", false, false},
		{"; accounturi=https://ca.example/acct/7", false, false},
		{"", false, false},
		{ours + "; malformed", false, false},
	}
	plain := Persist{Host: "pa.acme.example", Issuer: "ca.example", Account: "https://ca.example/acct/7"}
	star := plain
	star.Host = "*.acme.example"
	for _, tt := range tests {
		if got := plain.says(tt.text, now); got != tt.plain {
			t.Errorf("%q: %v for a host", tt.text, got)
		}
		if got := star.says(tt.text, now); got != tt.star {
			t.Errorf("%q: %v for a wildcard", tt.text, got)
		}
	}
	s := dnstest.Start(t)
	s.Zone("acme.example")
	dns := dnsquery.New([]string{s.Addr()}, dnsquery.Options{})
	for _, p := range []Persist{plain, star} {
		if holds, err := p.Holds(t.Context(), dns, now); holds || err != nil {
			t.Errorf("%s: %v, %v before it is set", p.Name(), holds, err)
		}
		s.Add(p.Record()) // as its owner does
		if holds, err := p.Holds(t.Context(), dns, now); !holds || err != nil {
			t.Errorf("%s: %v, %v", p.Record(), holds, err)
		}
	}
	s.Fault("acme.example", dnstest.ServFail)
	if holds, err := plain.Holds(t.Context(), dns, now); holds || err == nil {
		t.Errorf("%v, %v while DNS is down", holds, err)
	}
	if want := `_validation-persist.acme.example. TXT "` + ours + `; policy=wildcard"`; star.Record() != want || strings.Contains(star.Name(), "*") {
		t.Errorf("%s, want %s", star.Record(), want)
	}
}
