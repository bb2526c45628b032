package acme

import (
	"strings"
	"testing"
)

// TestDelegatedHost: the challenge of a host without a star may be delegated,
// too, to a provider that does not have its zone.
func TestDelegatedHost(t *testing.T) {
	const (
		here, away = "pa.acme.example. A 192.0.2.1", "pa.acme.example. A 203.0.113.5"
		ours       = "_acme-challenge.pa.acme.example. CNAME pa.acme.example.challenges.example."
	)
	tests := []struct {
		title     string
		records   []string
		permitted string
		kinds     string
		record    string
		steps     string
	}{
		{title: "elsewhere", records: []string{away, ours}, kinds: "dns-01", steps: "address dns-01 caa"},
		{title: "here", records: []string{here, ours}, kinds: "http-01 tls-alpn-01 dns-01", steps: "address dns-01 caa"},
		{title: "not delegated", records: []string{here}, kinds: "http-01 tls-alpn-01", steps: "address caa"},
		{title: "neither", records: []string{away}, record: here, steps: "address caa"},
		{title: "to where nobody writes", records: []string{away, "_acme-challenge.pa.acme.example. CNAME pa.old.example."}, record: here, steps: "address dns-01 caa"},
		{title: "dns-01 alone", records: []string{here, ours}, permitted: "dns-01", kinds: "dns-01", steps: "dns-01 caa"},
		{title: "dns-01 alone, not delegated", records: []string{here}, permitted: "dns-01", record: ours, steps: "dns-01 caa"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			f := newFlight(t)
			f.dns.Zone("old.example")
			f.dns.Add(tt.records...)
			if tt.permitted != "" {
				f.settings.challenges = strings.Fields(tt.permitted)
			}
			h := Host{Name: "pa.acme.example", Tenant: "acme"}
			r := f.inspect(t.Context(), h, f.ca, f.settings)
			if got := strings.Join(r.Challenges, " "); got != tt.kinds || r.Record != tt.record {
				t.Errorf("%q, record %q; want %q, %q\n%+v", got, r.Record, tt.kinds, tt.record, r)
			}
			var steps []string
			for _, step := range r.Steps {
				steps = append(steps, step.Name)
			}
			if got := strings.Join(steps, " "); got != tt.steps {
				t.Errorf("told %q, want %q", got, tt.steps)
			}
		})
	}
}
