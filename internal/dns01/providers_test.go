package dns01

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gatehouse/internal/dnsquery"
	"gatehouse/internal/dnsquery/dnstest"

	"github.com/google/go-cmp/cmp"
	"github.com/libdns/libdns"
)

const manyProviders = `
	acme:   {zones: [acme.example], tenants: [acme], exec: {program: /bin/true}},
	deep:   {zones: [deep.acme.example], tenants: [acme], exec: {program: /bin/true}},
	globex: {zones: [globex.example, deep.acme.example], tenants: [globex, umbrella], exec: {program: /bin/true}},
	all:    {zones: [challenges.example, globex.example], exec: {program: /bin/true}},
	auth:   {zones: [auth.example], tenants: [initech], acme_dns: {server: "https://auth.example", username: u, password: {file: word}, subdomain: d420}}`

func TestFor(t *testing.T) {
	ps := mustCompile(t, manyProviders, nil)
	tests := []struct{ tenant, name, want string }{
		{"acme", "acme.example", "acme"},
		{"acme", "pa.acme.example", "acme"},
		{"acme", "*.acme.example", "acme"},
		{"acme", "PA.Acme.Example.", "acme"},
		{"acme", "x.deep.acme.example", "deep"},
		{"acme", "xacme.example", ""},
		{"acme", "example", ""},
		{"acme", "", ""},
		{"globex", "pa.acme.example", ""},             // acme's
		{"globex", "x.deep.acme.example", "globex"},   // the longest that admits
		{"umbrella", "x.deep.acme.example", "globex"}, //
		{"initech", "x.deep.acme.example", ""},        //
		{"globex", "x.globex.example", "globex"},      // it names the tenant
		{"acme", "x.globex.example", "all"},           // it admits everybody
		{"acme", "x.challenges.example", "all"},       //
		{"initech", "d420.auth.example", "auth"},      //
		{"initech", "other.auth.example", ""},         // an account has one name
		{"acme", "d420.auth.example", ""},             //
		{"", "acme.example", ""},
	}
	for _, tt := range tests {
		p, ok := ps.For(tt.tenant, tt.name)
		if got := nameOf(p); got != tt.want || ok != (tt.want != "") {
			t.Errorf("%s of %s: %q, want %q", tt.name, tt.tenant, got, tt.want)
		}
	}
	var none *Providers
	if _, ok := none.For("acme", "acme.example"); ok || none.Admits("acme") || none.List() != nil {
		t.Error("no providers, and yet there are some")
	}
	if !ps.Admits("anybody") {
		t.Error("all admits everybody")
	}
}

func nameOf(p *Provider) string {
	if p == nil {
		return ""
	}
	return p.Name()
}

// A tenant reaches another's credentials neither by the name of a host nor by
// an alias in its own DNS.
func TestTarget(t *testing.T) {
	s := dnstest.Start(t)
	s.Zone("acme.example", "globex.example", "initech.example", "challenges.example", "auth.example")
	s.Add("_acme-challenge.evil.globex.example. CNAME _acme-challenge.pa.acme.example.",
		"_acme-challenge.far.globex.example. CNAME one.globex.example.", "one.globex.example. CNAME two.acme.example.",
		"_acme-challenge.in.acme.example. CNAME in.acme.example.challenges.example.",
		"_acme-challenge.initech.example. CNAME d420.auth.example.",
		"_acme-challenge.loop.acme.example. CNAME _acme-challenge.loop.acme.example.",
		"_acme-challenge.out.acme.example. CNAME elsewhere.initech.example.")
	for i := range 12 {
		s.Add("_acme-challenge.long.acme.example. CNAME n0.acme.example.")
		s.Add("n" + string(rune('a'+i)) + ".acme.example. CNAME n" + string(rune('b'+i)) + ".acme.example.")
	}
	s.Set("_acme-challenge.long.acme.example. CNAME na.acme.example.")
	s.Fault("_acme-challenge.down.acme.example", dnstest.ServFail)
	dns := dnsquery.New([]string{s.Addr()}, dnsquery.Options{})
	ps := mustCompile(t, manyProviders, nil)
	onlyTheirs := mustCompile(t, `acme: {zones: [acme.example], tenants: [acme], exec: {program: /bin/true}}`, nil)
	tests := []struct {
		ps                   *Providers
		tenant, host         string
		provider, name       string
		aliases, why, record string
	}{
		{ps, "acme", "pa.acme.example", "acme", "_acme-challenge.pa.acme.example", "", "", ""},
		{ps, "acme", "*.acme.example", "acme", "_acme-challenge.acme.example", "", "", ""},
		{ps, "acme", "in.acme.example", "all", "in.acme.example.challenges.example", "in.acme.example.challenges.example", "", ""},
		{ps, "initech", "*.initech.example", "auth", "d420.auth.example", "d420.auth.example", "", ""},
		{ps, "globex", "pa.acme.example", "", "", "", "no dns provider that admits the tenant \"globex\" has a zone that contains _acme-challenge.pa.acme.example", "_acme-challenge.pa.acme.example. CNAME pa.acme.example.globex.example."},
		{ps, "globex", "evil.globex.example", "", "", "", "has a zone that contains _acme-challenge.pa.acme.example", "_acme-challenge.evil.globex.example. CNAME evil.globex.example.globex.example."},
		{ps, "globex", "far.globex.example", "", "", "", "has a zone that contains two.acme.example", "_acme-challenge.far.globex.example. CNAME far.globex.example.globex.example."},
		{ps, "initech", "www.initech.example", "", "", "", "has a zone that contains", "_acme-challenge.www.initech.example. CNAME d420.auth.example."},
		{ps, "acme", "out.acme.example", "", "", "", "contains elsewhere.initech.example", "_acme-challenge.out.acme.example. CNAME out.acme.example.acme.example."},
		{ps, "acme", "loop.acme.example", "", "", "", "the aliases of _acme-challenge.loop.acme.example do not end", "_acme-challenge.loop.acme.example. CNAME loop.acme.example.acme.example."},
		{ps, "acme", "long.acme.example", "", "", "", "do not end", "_acme-challenge.long.acme.example. CNAME long.acme.example.acme.example."},
		{onlyTheirs, "globex", "pa.acme.example", "", "", "", `no dns provider admits the tenant "globex"`, ""},
		{nil, "acme", "pa.acme.example", "", "", "", "no dns provider admits", ""},
	}
	for _, tt := range tests {
		got, err := tt.ps.Target(t.Context(), dns, tt.tenant, tt.host)
		if tt.why == "" {
			if err != nil || nameOf(got.Provider) != tt.provider || got.Name != tt.name || strings.Join(got.Aliases, " ") != tt.aliases {
				t.Errorf("%s of %s: %+v, %v; want %s writes %s", tt.host, tt.tenant, got, err, tt.provider, tt.name)
			}
			continue
		}
		missing, ok := errors.AsType[*NotCovered](err)
		if !ok || got.Provider != nil || !strings.Contains(missing.Error(), tt.why) || missing.Record != tt.record {
			t.Errorf("%s of %s: %v, %v; want %q and %q", tt.host, tt.tenant, got, err, tt.why, tt.record)
		}
	}
	if _, err := ps.Target(t.Context(), dns, "acme", "down.acme.example"); dnsquery.KindOf(err) != dnsquery.ServerFailure {
		t.Errorf("DNS that does not answer: %v", err)
	}
}

func TestDelegationOfALongName(t *testing.T) {
	ps := mustCompile(t, `a: {zones: [challenges.example], exec: {program: /bin/true}}`, nil)
	long := strings.Repeat("abcdefghi.", 24) + "example"
	target, ok := ps.Delegation("acme", long)
	again, _ := ps.Delegation("acme", "*."+long)
	if !ok || !isName(target) || target != again || !strings.HasSuffix(target, ".challenges.example") {
		t.Errorf("%q, %q", target, again)
	}
}

// kept is a writer that notes what it was asked.
type kept struct{ done []string }

func (k *kept) add(_ context.Context, r record) error {
	k.done = append(k.done, "+"+r.name+" in "+r.zone+" "+r.value)
	return nil
}

func (k *kept) remove(_ context.Context, r record) error {
	k.done = append(k.done, "-"+r.name+" in "+r.zone+" "+r.value)
	return nil
}

// A provider writes TXT records of its zones, whoever asks.
func TestProviderStaysInItsZones(t *testing.T) {
	tests := []struct {
		zone string
		rr   libdns.Record
		want string // what is written, or in the error
	}{
		{"acme.example.", libdns.TXT{Name: "_acme-challenge.pa", Text: "v"}, "+_acme-challenge.pa.acme.example. in acme.example. v"},
		{"ACME.example", libdns.TXT{Name: "_Acme-Challenge", Text: "v"}, "+_acme-challenge.acme.example. in acme.example. v"},
		{"example.", libdns.TXT{Name: "x.acme", Text: "v"}, "+x.acme.example. in example. v"},
		{"acme.example.", libdns.RR{Name: "x", Type: "TXT", Data: "v"}, "+x.acme.example. in acme.example. v"},
		{"acme.example.", libdns.TXT{Name: "@", Text: "v"}, "+acme.example. in acme.example. v"},
		{"acme.example.", libdns.RR{Name: "x", Type: "A", Data: "192.0.2.1"}, "it is a A record; expected TXT"},
		{"globex.example.", libdns.TXT{Name: "x", Text: "v"}, "it lies in no zone of this provider, which are acme.example"},
		{"xacme.example.", libdns.TXT{Name: "x", Text: "v"}, "it lies in no zone"},
		{"acme.example.", libdns.TXT{Name: "x.globex.example.", Text: "v"}, "it lies in no zone"},
		{"globex.example.", libdns.TXT{Name: "x.acme.example.", Text: "v"}, `it does not lie in the zone "globex.example"`},
		{"", libdns.TXT{Name: "x.acme.example.", Text: "v"}, `it does not lie in the zone ""`},
		{"acme.example.", libdns.TXT{Name: "a b", Text: "v"}, "is no DNS name"},
		{"acme.example.", libdns.TXT{Name: "x", Text: ""}, "its text has 0 bytes"},
		{"acme.example.", libdns.TXT{Name: "x", Text: "a\"b"}, "odd ones"},
		{"acme.example.", libdns.TXT{Name: "x", Text: strings.Repeat("v", 256)}, "its text has 256 bytes"},
	}
	for _, tt := range tests {
		k := new(kept)
		p := &Provider{name: "p", kind: "kept", zones: []string{"acme.example"}, writer: k}
		got, err := p.AppendRecords(t.Context(), tt.zone, []libdns.Record{tt.rr})
		if strings.HasPrefix(tt.want, "+") {
			if err != nil || len(got) != 1 || !cmp.Equal(k.done, []string{tt.want}) {
				t.Errorf("%+v in %s: %v, %v, %q; want %q", tt.rr, tt.zone, got, err, k.done, tt.want)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(k.done) > 0 {
			t.Errorf("%+v in %s: %v, %q; want %q", tt.rr, tt.zone, err, k.done, tt.want)
		}
	}
	k := new(kept)
	p := &Provider{name: "p", zones: []string{"acme.example"}, writer: k}
	if _, err := p.DeleteRecords(t.Context(), "acme.example.", []libdns.Record{libdns.TXT{Name: "x", Text: "v"}}); err != nil || !cmp.Equal(k.done, []string{"-x.acme.example. in acme.example. v"}) {
		t.Errorf("%v, %q", err, k.done)
	}
	if _, err := p.AppendRecords(t.Context(), "acme.example.", make([]libdns.Record, recordsMost+1)); err == nil {
		t.Error("any number of records is written")
	}
}

// FuzzAdmit: what a provider writes lies in its zones, whatever is asked.
func FuzzAdmit(f *testing.F) {
	f.Add("acme.example.", "_acme-challenge.pa", "value")
	f.Add("example", "x.globex.example.", "\x00")
	f.Add("", "@", "v")
	p := &Provider{name: "p", zones: []string{"acme.example"}}
	f.Fuzz(func(t *testing.T, zone, name, value string) {
		r, err := p.admit(zone, libdns.RR{Name: name, Type: "TXT", Data: value})
		if err != nil {
			return
		}
		if r.name != "acme.example." && !strings.HasSuffix(r.name, ".acme.example.") {
			t.Errorf("%q of %q is written as %q", name, zone, r.name)
		}
		if !strings.HasSuffix(r.name, r.zone) || strings.ContainsFunc(r.value+r.name, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%+v", r)
		}
	})
}
