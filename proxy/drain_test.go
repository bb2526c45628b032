package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

func drainOf(tenant, backend string, d time.Duration) tenancy.Levers {
	return tenancy.Levers{Drained: []tenancy.DrainOrder{{Tenant: tenant, Backend: backend, Order: ordered(d)}}}
}

// A drained backend gets no new request from the moment of the order, over a
// reload that changes its pool as well; what it has begun goes on and is counted.
func TestDrainBackend(t *testing.T) {
	t.Parallel()
	began, proceed := make(chan struct{}), make(chan struct{})
	slow := statusBackend(t, "a", func(r *http.Request) int {
		if r.URL.Path == "/slow" {
			close(began)
			<-proceed
		}
		return http.StatusOK
	})
	other := namedBackend(t, "b", nil)
	g := startGateway(t, tenantWith("", slow, other), setup{})
	table := g.snapshot().table
	answered := make(chan string, 1)
	go func() {
		_, body, err := roundTrip(t, g, "GET /slow HTTP/1.1\r\nHost: a.example\r\n\r\n")
		if err != nil {
			body = err.Error()
		}
		answered <- body
	}()
	// The first of two in turn.
	<-began
	order := drainOf("acme", addressOf(g, 0), 0)
	g.Apply(table.WithLevers(order, 2))
	wantOther := func() {
		t.Helper()
		for range 4 {
			if status, name := whoAnswers(t, g, ""); status != http.StatusOK || name != "b" {
				t.Errorf("%d by %q, want b", status, name)
			}
		}
		if n := g.InFlight("acme", addressOf(g, 0)); n != 1 {
			t.Errorf("%d requests are in progress, want 1", n)
		}
	}
	wantOther()
	g.Apply(compileTable(t, tenantWith("balance: least_requests\n", slow, other), setup{}).WithLevers(order, 3))
	wantOther()
	status := g.Pools("acme")[0].Backends[0]
	if status.Standing != pool.Draining || !strings.Contains(status.Why, "command of uid 0") || status.InFlight != 1 {
		t.Errorf("it stands as %+v", status)
	}
	close(proceed)
	if got := <-answered; got != "a" {
		t.Errorf("the request in progress is answered %q", got)
	}
	eventually(t, "nothing is in progress", func() bool { return g.InFlight("acme", addressOf(g, 0)) == 0 })
	g.Apply(g.snapshot().table.WithLevers(tenancy.Levers{}, 4))
	eventually(t, "it gets requests again", func() bool { _, name := whoAnswers(t, g, ""); return name == "a" })
}

// A request that was judged before an order and comes to pick after it finds the
// backend drained, although its tenant has another text by then.
func TestDrainMeetsWhoWaits(t *testing.T) {
	t.Parallel()
	a, b := namedBackend(t, "a", nil), namedBackend(t, "b", nil)
	g := startGateway(t, tenantWith("", a, b), setup{})
	former := g.snapshot().of(g.snapshot().table.Tenant("acme"))
	order := drainOf("acme", addressOf(g, 0), 0)
	g.Apply(compileTable(t, tenantWith("balance: least_requests\n", a, b), setup{}))
	g.Apply(g.snapshot().table.WithLevers(order, 3))
	for range 4 {
		round := former.pools[0].Round(0, true)
		if got := round.Next(time.Now()).Backend().Address(); got != addressOf(g, 1) {
			t.Errorf("a request of before goes to %s", got)
		}
		round.Release()
	}
}

// What a backend has begun is counted while tables come that reach it in another
// way, and what is judged by a former one does not begin there.
func TestDrainCountsFormerPools(t *testing.T) {
	t.Parallel()
	g := startGateway(t, tenantWith("", "127.0.0.1:1"), setup{})
	former := g.snapshot().of(g.snapshot().table.Tenant("acme"))
	round := former.pools[0].Round(0, true)
	address := round.Next(time.Now()).Backend().Address()
	for _, keys := range []string{"host: backend", "weight: 2", "host: backend, weight: 3"} {
		text := "hosts: [a.example]\naccess: {public: test}\nbackends: [{url: \"http://127.0.0.1:1\", " + keys + "}]\n"
		g.Apply(compileTable(t, text, setup{}))
		if n := g.InFlight("acme", address); n != 1 {
			t.Errorf("%s: %d requests are in progress, want 1", keys, n)
		}
	}
	g.Apply(g.snapshot().table.WithLevers(drainOf("acme", address, 0), 9))
	late := former.pools[0].Round(0, true)
	if m := late.Next(time.Now()); m != nil {
		t.Errorf("a request of before goes to %s", m.Backend().Address())
	}
	late.Release()
	round.Release()
	if n := g.InFlight("acme", address); n != 0 {
		t.Errorf("%d requests are in progress, want none", n)
	}
}

// TestDrainTenant: new requests are refused with 503, those in progress and
// WebSockets go on and are counted; others do not notice.
func TestDrainTenant(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		w := newWorld(t, twoTenants)
		began, proceed := make(chan struct{}, 1), make(chan struct{})
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				began <- struct{}{}
				<-proceed
				_, _ = io.WriteString(rw, "whole")
				return
			}
			echo(rw, r)
		})
		open := w.talk("127.0.0.1", "https://a.example/ws")
		client := w.client("direct", "127.0.0.1", h2)
		answered := make(chan string, 1)
		go func() {
			response, err := client.Get("https://a.example/slow")
			if err != nil {
				answered <- err.Error()
				return
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			answered <- string(body)
		}()
		<-began
		w.order(drainOf("acme", "", time.Hour))
		response, err := client.Get("https://a.example/")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if again := response.Header.Get("Retry-After"); response.StatusCode != http.StatusServiceUnavailable || len(again) != 4 {
			t.Errorf("HTTP/2 %v: a drained tenant answers %d, Retry-After %q", h2, response.StatusCode, again)
		}
		eventually(t, "the reason is logged", func() bool { return strings.Contains(w.log.String(), `"reason":"draining"`) })
		say(t, open)
		if n := w.server.InFlight("acme", ""); n != 2 {
			t.Errorf("HTTP/2 %v: %d are in progress, want a request and a WebSocket", h2, n)
		}
		close(proceed)
		if got := <-answered; got != "whole" {
			t.Errorf("HTTP/2 %v: the request in progress is answered %q", h2, got)
		}
		open.CloseNow()
		eventually(t, "nothing is in progress", func() bool { return w.server.InFlight("acme", "") == 0 })
		w.answerWith(nil)
		if status, _ := w.get(client, "https://b.example/"); status != http.StatusOK {
			t.Errorf("another tenant answers %d", status)
		}
		w.order(tenancy.Levers{})
		if status, _ := w.get(client, "https://a.example/"); status != http.StatusOK {
			t.Errorf("HTTP/2 %v: a tenant taken back answers %d", h2, status)
		}
	}
}

// TestDrainKeepsRevoking: what goes on while a tenant is drained is cut once its
// client is not admitted any more.
func TestDrainKeepsRevoking(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(echo)
	goes := w.talk("127.0.0.2", "https://a.example/ws")
	w.table = w.table.WithLevers(drainOf("acme", "", 0), w.table.Generation()+1)
	w.server.Apply(w.table)
	say(t, goes)
	w.tenants["acme"] = without(twoTenants["acme"], "127.0.0.2")
	w.table = w.compile().WithLevers(drainOf("acme", "", 0), w.table.Generation()+1)
	w.server.Apply(w.table)
	diesWithin(t, goes, inTime)
}
