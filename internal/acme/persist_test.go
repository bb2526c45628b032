package acme

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/store"
)

// TestPersist: the owner is told the record of dns-persist-01, and once it is
// set certificates come by it, again and again, and nothing is written.
func TestPersist(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	w.dns.Zone("standing.example")
	proxy, s := w.behindProxy(t)
	s.challenges = []string{"dns-persist-01"}
	e := w.startEngine(t, store.NewMem(), s)
	p := newPreflight(e)
	ca := s.authorities[0]
	for _, name := range []string{"pa.standing.example", "*.standing.example"} {
		orders := proxy.Orders()
		h := Host{Name: name, Tenant: "acme"}
		r := p.inspect(t.Context(), h, ca, s)
		account, err := e.storedAccount(t.Context(), ca)
		if err != nil || account == nil || account.URL == "" {
			t.Fatalf("no account is registered: %+v, %v", account, err)
		}
		want := "_validation-persist." + strings.TrimPrefix(name, "*.") + `. TXT "pebble.letsencrypt.org; accounturi=` + account.URL
		if strings.HasPrefix(name, "*.") {
			want += "; policy=wildcard"
		}
		want += `"`
		if r.State != StatePendingDNS || r.Record != want {
			t.Fatalf("%s: %q, %s; want the record %s\n%+v", name, r.State, r.Record, want, r)
		}
		req := ask(s, name)
		_, err = e.obtain(t.Context(), req)
		if p := wantProblem(t, err, causeHost, ""); !strings.Contains(p.Error(), "its owner must set "+want) {
			t.Errorf("%q does not name the record", p)
		}
		if proxy.Orders() != orders {
			t.Errorf("%d orders were spent on %s", proxy.Orders()-orders, name)
		}
		w.dns.Add(r.Record) // as its owner does
		r = p.inspect(t.Context(), h, ca, s)
		if !r.Fine() || !slices.Equal(r.Challenges, []string{"dns-persist-01"}) {
			t.Fatalf("%s: %+v", name, r)
		}
		req.Challenges = r.Challenges
		first := mustObtain(t, e, req)
		req.Replaces = mustLeaf(t, first)
		if leaf := mustLeaf(t, mustObtain(t, e, req)); !slices.Equal(leaf.DNSNames, []string{name}) {
			t.Errorf("the certificate is for %q", leaf.DNSNames)
		}
	}
}

// TestPersistBesideOthers: it is one way of several, in the order that is
// written, and one whose record is missing is passed over.
func TestPersistBesideOthers(t *testing.T) {
	f := newFlight(t)
	f.settings.challenges = []string{"dns-persist-01", "http-01"}
	h := Host{Name: "pa.acme.example", Tenant: "acme"}
	const record = `_validation-persist.pa.acme.example. TXT "letsencrypt.org; accounturi=https://ca.example/acct/7"`
	look := func() (string, PreflightReport) {
		r := f.inspect(t.Context(), h, f.ca, f.settings)
		return strings.Join(r.Challenges, " "), r
	}
	f.dns.Add("pa.acme.example. A 192.0.2.1")
	if kinds, r := look(); kinds != "http-01" || r.Steps[1].Records[0] != record {
		t.Errorf("%q, %+v", kinds, r)
	}
	f.dns.Add(record)
	if kinds, r := look(); kinds != "dns-persist-01 http-01" {
		t.Errorf("%q, %+v", kinds, r)
	}
	f.dns.Remove("pa.acme.example")
	if kinds, r := look(); kinds != "dns-persist-01" {
		t.Errorf("%q, %+v", kinds, r)
	}
	// The record is good for one authority alone.
	f.settings.authorities = append(f.settings.authorities, &authority{ID: "two", Name: "zerossl"})
	if got := f.look(t.Context(), h, f.ca, f.settings); got.knows(f.settings.authorities[1]) {
		t.Errorf("%+v", got)
	}
	// One that is known not to offer it, and nothing else is permitted.
	f.without = true
	f.settings.challenges = []string{"dns-persist-01"}
	if _, r := look(); r.State != StateParked || !strings.Contains(r.Detail, "does not offer") || r.Record != "" {
		t.Errorf("%+v", r)
	}
	// One that is down: an order finds out for nothing.
	f.without, f.refuse = false, context.DeadlineExceeded
	if got := f.look(t.Context(), h, f.ca, f.settings); got.state != "" || got.unsure || !slices.Equal(got.kinds, []string{"dns-persist-01"}) {
		t.Errorf("%+v", got)
	}
}

// TestPersistNotOffered: that an authority does not offer it costs one order,
// and is remembered for a day.
func TestPersistNotOffered(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	w.dns.Zone("unoffered.example")
	proxy, s := w.behindProxy(t)
	proxy.Intercept(func(out http.ResponseWriter, r *http.Request, forward http.Handler) bool {
		if !strings.HasPrefix(r.URL.Path, acmetest.Authz) {
			return false
		}
		rec := httptest.NewRecorder()
		forward.ServeHTTP(rec, r)
		for name, values := range rec.Header() {
			if name != "Content-Length" {
				out.Header()[name] = values
			}
		}
		out.WriteHeader(rec.Code)
		_, _ = out.Write([]byte(strings.ReplaceAll(rec.Body.String(), "dns-persist-01", "future-01")))
		return true
	})
	s.challenges = []string{"dns-persist-01"}
	e := w.startEngine(t, store.NewMem(), s)
	p := newPreflight(e)
	h := Host{Name: "pa.unoffered.example", Tenant: "acme"}
	w.dns.Add(p.inspect(t.Context(), h, s.authorities[0], s).Record)
	for range 2 {
		_, err := e.obtain(t.Context(), ask(s, h.Name))
		wantProblem(t, err, causeHost, "")
	}
	if n := proxy.Orders(); n != 1 {
		t.Errorf("%d orders were spent", n)
	}
	if r := p.inspect(t.Context(), h, s.authorities[0], s); r.State != StateParked {
		t.Errorf("%+v", r)
	}
	if c := e.client(s.authorities[0]); c.lacksPersist(time.Now().Add(offerAge + time.Minute)) {
		t.Error("it is never asked again")
	}
}
