package livesets

import (
	"strings"
	"testing"
	"time"

	"gatehouse/internal/dnsquery"
	"gatehouse/internal/dnsquery/dnstest"
)

// TestLookUp asks a server that answers well and badly.
func TestLookUp(t *testing.T) {
	t.Parallel()
	s := dnstest.Start(t)
	s.Zone("acme.example")
	s.Add("vpn.acme.example. A 203.0.113.5", "vpn.acme.example. AAAA 2001:db8::5", "alias.acme.example. CNAME vpn.acme.example.",
		"mixed.acme.example. A 10.0.0.1", "mixed.acme.example. A 203.0.113.6", "mixed.acme.example. A 100.64.0.1", "mixed.acme.example. A 169.254.169.254",
		"inside.acme.example. A 10.0.0.1", "inside.acme.example. AAAA fd00::1", "inside.acme.example. A 127.0.0.1",
		"text.acme.example. TXT nothing", "down.acme.example. A 203.0.113.7", "garbage.acme.example. A 203.0.113.8")
	s.Fault("down.acme.example", dnstest.ServFail)
	s.Fault("garbage.acme.example", dnstest.Garbage)
	patient := asker{resolver: dnsquery.New([]string{s.Addr()}, dnsquery.Options{})}
	// What is no answer does not end the wait for one, and must come before the end.
	hasty := asker{resolver: dnsquery.New([]string{s.Addr()}, dnsquery.Options{Timeout: time.Second})}
	for name, want := range map[string]string{
		"vpn":     "203.0.113.5/32 2001:db8::5/128",
		"alias":   "203.0.113.5/32 2001:db8::5/128",
		"mixed":   "203.0.113.6/32",
		"inside":  "private addresses alone",
		"text":    "",
		"nobody":  "no such name",
		"down":    "SERVFAIL",
		"garbage": "malformed",
	} {
		a := patient
		if name == "garbage" {
			a = hasty
		}
		got, err := a.ask(t.Context(), source(t, "{dns: "+name+".acme.example}"), "")
		var words []string
		for _, p := range got.prefixes {
			words = append(words, p.String())
		}
		if err != nil {
			words = append(words, err.Error())
		}
		if text := strings.Join(words, " "); !strings.Contains(text, want) || want == "" && text != "" {
			t.Errorf("%s: %q, want %q", name, text, want)
		}
	}
}

// TestHalfAnAnswer: where one of the two types fails, the addresses of the other
// are no answer.
func TestHalfAnAnswer(t *testing.T) {
	s := dnstest.Start(t)
	s.Zone("acme.example")
	s.Add("vpn.acme.example. A 203.0.113.5", "vpn.acme.example. AAAA 2001:db8::5")
	s.Fault("vpn.acme.example", dnstest.ServFail, "AAAA")
	a := asker{resolver: dnsquery.New([]string{s.Addr()}, dnsquery.Options{})}
	if got, err := a.ask(t.Context(), source(t, "{dns: vpn.acme.example}"), ""); err == nil {
		t.Errorf("half an answer is taken: %v", got.prefixes)
	}
}
