package acme

import (
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/internal/dns01"
	"gatehouse/internal/dnsquery"
	"gatehouse/internal/dnsquery/dnstest"
	"gatehouse/internal/store"
)

// written is a value of a file of tests.
func written[T any](v T) conf.At[T] {
	return conf.At[T]{V: v, Pos: conf.Pos{File: "gatehouse.yaml", Line: 1, Col: 1}}
}

func writtenList(values ...string) conf.List[string] {
	l := conf.List[string]{Pos: conf.Pos{File: "gatehouse.yaml", Line: 1, Col: 1}}
	for _, v := range values {
		l.Items = append(l.Items, written(v))
	}
	return l
}

// tsigKey signs updates of the zones of tests.
var tsigKey = strings.Repeat("k", 32)

// providers can change zones of the world's DNS by signed updates, for one
// tenant.
func (w *world) providers(t testing.TB, tenant string, zones ...string) *dns01.Providers {
	t.Helper()
	for _, zone := range zones {
		w.dns.Zone(zone)
		w.dns.AllowUpdates(zone, "gatehouse.", []byte(tsigKey))
	}
	r := new(conf.Report)
	ps := dns01.Compile(conf.Map[dns01.ProviderSpec]{{Key: "corp", V: dns01.ProviderSpec{
		Zones: writtenList(zones...), Tenants: writtenList(tenant),
		RFC2136: &dns01.RFC2136Spec{
			Server: written(w.dns.Addr()), KeyName: written("gatehouse."), Key: &conf.Secret{File: written("tsig")},
		},
	}}}, func(*conf.Secret) ([]byte, error) { return []byte(dnstest.EncodeKey([]byte(tsigKey))), nil }, nil, r)
	if r.Faults() > 0 {
		t.Fatal(r.Findings())
	}
	return ps
}

func TestDNS01(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	ps := w.providers(t, "acme", "dns.example")
	w.dns.Zone("owned.example")
	w.dns.Add("_acme-challenge.owned.example. CNAME owned.example.dns.example.")
	w.dns.Add("_acme-challenge.intranet.owned.example. CNAME intranet.owned.example.dns.example.")
	for name, c := range map[string]struct{ host, at string }{
		"wildcard":  {"*.shop.dns.example", "_acme-challenge.shop.dns.example"},
		"delegated": {"*.owned.example", "owned.example.dns.example"},
		// Nothing of it leads here, and no provider has its zone.
		"delegated host": {"intranet.owned.example", "intranet.owned.example.dns.example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := w.settingsFor(authorityAt(t, w.ca.Directory, w.ca.Root))
			s.providers = ps
			req := ask(s, c.host)
			req.Challenges = []string{"dns-01"}
			b := mustObtain(t, w.startEngine(t, store.NewMem(), s), req)
			if names := mustLeaf(t, b).DNSNames; !slices.Equal(names, []string{c.host}) {
				t.Errorf("the certificate is for %q, want %q", names, c.host)
			}
			if left := w.dns.Values(c.at, "TXT"); len(left) > 0 {
				t.Errorf("records are left at %s: %q", c.at, left)
			}
		})
	}
}

// TestDNS01Refused: no order is spent on a name whose records nobody may write.
func TestDNS01Refused(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	for name, c := range map[string]struct {
		tenant, host string
		kinds        []string
	}{
		"another tenant": {"globex", "*.refused.example", nil},
		"no provider":    {"globex", "a.elsewhere.example", []string{"http-01", "tls-alpn-01"}},
		// Its owner may have delegated the challenge.
		"not its zone":          {"acme", "a.elsewhere.example", []string{"http-01", "tls-alpn-01", "dns-01"}},
		"its own":               {"acme", "a.refused.example", []string{"http-01", "tls-alpn-01", "dns-01"}},
		"its wildcard":          {"acme", "*.refused.example", []string{"dns-01"}},
		"a stranger's wildcard": {"acme", "*.elsewhere.example", []string{"dns-01"}},
	} {
		s := w.settingsFor(authorityAt(t, w.ca.Directory, w.ca.Root))
		s.providers = w.providers(t, "acme", "refused.example")
		if got := s.kinds(Host{Name: c.host, Tenant: c.tenant}); !slices.Equal(got, c.kinds) {
			t.Errorf("%s: %s of %s by %q, want %q", name, c.host, c.tenant, got, c.kinds)
		}
	}
	proxy, s := w.behindProxy(t)
	s.providers = w.providers(t, "acme", "refused.example")
	e := w.startEngine(t, store.NewMem(), s)
	req := ask(s, "*.refused.example")
	req.Tenant = "globex"
	_, err := e.obtain(t.Context(), req)
	if p := wantProblem(t, err, causeHost, ""); !strings.Contains(p.Error(), "globex") {
		t.Errorf("%q does not name the tenant", p)
	}
	_, err = e.obtain(t.Context(), ask(s, "*.free.hosted.example"))
	const record = "_acme-challenge.free.hosted.example. CNAME free.hosted.example.refused.example."
	if p := wantProblem(t, err, causeHost, ""); !strings.Contains(p.Error(), record) {
		t.Errorf("%q does not name the record %s", p, record)
	}
	_, err = e.obtain(t.Context(), ask(s, "*.elsewhere.example"))
	if p := wantProblem(t, err, causeHost, ""); !strings.Contains(p.Error(), "REFUSED") {
		t.Errorf("%q does not say what DNS says", p)
	}
	if n := proxy.Orders(); n != 0 {
		t.Errorf("%d orders were spent", n)
	}
}

// TestPropagation: a record is there once every server of the zone that answers
// shows it; resolvers are believed only where none answers.
func TestPropagation(t *testing.T) {
	const name, text = "_acme-challenge.late.example", "the-answer"
	serve := func(values ...string) *dnsquery.Resolver {
		s := dnstest.Start(t)
		s.Zone("late.example")
		for _, v := range values {
			s.Add(name + ". TXT " + v)
		}
		return dnsquery.New([]string{s.Addr()}, dnsquery.Options{Timeout: time.Second})
	}
	dead := dnsquery.New([]string{"127.0.0.1:1"}, dnsquery.Options{Timeout: 100 * time.Millisecond})
	has, lacks, other := serve(text), serve(), serve("another", text)
	for what, c := range map[string]struct {
		servers []*dnsquery.Resolver
		ask     *dnsquery.Resolver
		want    bool
	}{
		"all have it":               {[]*dnsquery.Resolver{has, other}, lacks, true},
		"one lacks it":              {[]*dnsquery.Resolver{has, lacks}, has, false},
		"one is dead":               {[]*dnsquery.Resolver{dead, has}, lacks, true},
		"all are dead":              {[]*dnsquery.Resolver{dead}, has, true},
		"none known":                {nil, has, true},
		"nobody has it":             {nil, lacks, false},
		"nobody is there":           {[]*dnsquery.Resolver{dead}, dead, false},
		"the resolver knows better": {[]*dnsquery.Resolver{lacks}, has, false},
	} {
		d := &dnsSolver{dns: c.ask, name: name, zone: "late.example", servers: c.servers}
		if missing := d.missing(t.Context(), text); (missing == "") != c.want {
			t.Errorf("%s: %q, want it seen %t", what, missing, c.want)
		}
	}
}
