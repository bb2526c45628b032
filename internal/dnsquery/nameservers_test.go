package dnsquery

import (
	"slices"
	"testing"
)

func TestNameServers(t *testing.T) {
	s, r := sample(t)
	s.Zone("served.example")
	s.Set("served.example. NS a.acme.example.", "served.example. NS b.acme.example.", "served.example. NS nowhere.acme.example.")
	s.Add("a.acme.example. A 192.0.2.53", "b.acme.example. A 192.0.2.54", "b.acme.example. AAAA 2001:db8::53")
	got, err := r.NameServers(t.Context(), "served.example")
	slices.Sort(got)
	if want := []string{"192.0.2.53:53", "192.0.2.54:53", "[2001:db8::53]:53"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if got, err := r.NameServers(t.Context(), "elsewhere.test"); KindOf(err) != Refused {
		t.Errorf("got %q, %v; want it refused", got, err)
	}
}
