package proxy

import (
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"gatehouse/tenancy"
)

// order lays what operators order over the table.
func (w *world) order(l tenancy.Levers) {
	w.t.Helper()
	w.table = w.table.WithLevers(l, w.table.Generation()+1)
	w.server.Apply(w.table)
}

// ordered is an order of somebody, for d; 0 until it is taken back.
func ordered(d time.Duration) tenancy.Order {
	o := tenancy.Order{By: "uid 0", At: time.Now(), Why: "a test"}
	if d > 0 {
		o.Until = o.At.Add(d)
	}
	return o
}

func blockOf(prefix string) tenancy.Levers {
	return tenancy.Levers{Blocks: []tenancy.BlockOrder{{Prefix: netip.MustParsePrefix(prefix), Order: ordered(time.Hour)}}}
}

// TestBlockByCommand: whoever is blocked by command loses what is open and gets nothing new, on every listener; others do not notice.
func TestBlockByCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(echo)
	goes, stays := w.talk("127.0.0.2", "https://b.example/ws"), w.talk("127.0.0.1", "https://b.example/ws")
	idle := w.dial("127.0.0.2", "b.example")
	w.order(blockOf("127.0.0.2/32"))
	diesWithin(t, goes, inTime)
	endsWithin(t, idle, inTime)
	say(t, stays)
	eventually(t, "the reason is logged", func() bool { return strings.Contains(w.log.String(), `"status":101,"reason":"blocked"`) })
	if c, err := w.tryDial("127.0.0.2", w.tlsConfig("b.example")); err == nil {
		t.Errorf("a blocked client gets a handshake from %s", c.RemoteAddr())
	}
	w.order(tenancy.Levers{})
	w.answerWith(nil)
	if status, _ := w.get(w.client("direct", "127.0.0.2", true), "https://b.example/"); status != http.StatusOK {
		t.Errorf("after the block was lifted: %d", status)
	}
}

// TestBlockByCommandForwarded: where clients are known by X-Forwarded-For, the
// request is refused and cut, and the connection stays for others.
func TestBlockByCommandForwarded(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		w := newWorld(t, twoTenants)
		began := make(chan struct{}, 1)
		w.answerWith(func(_ http.ResponseWriter, r *http.Request) {
			began <- struct{}{}
			<-r.Context().Done()
		})
		client := w.client("forwarded", balancer, h2)
		ask := func(who string) *http.Request {
			r, err := http.NewRequestWithContext(t.Context(), "GET", "https://b.example/", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Forwarded-For", who)
			return r
		}
		answered := make(chan int, 1)
		go func() {
			response, err := client.Do(ask("192.0.2.9"))
			if err != nil {
				t.Error(err)
				answered <- 0
				return
			}
			response.Body.Close()
			answered <- response.StatusCode
		}()
		<-began
		ordered := time.Now()
		w.order(blockOf("192.0.2.0/24"))
		if status := <-answered; status != http.StatusForbidden || time.Since(ordered) > inTime {
			t.Errorf("HTTP/2 %v: a request that waits is answered %d after %v", h2, status, time.Since(ordered))
		}
		w.answerWith(nil)
		for who, want := range map[string]int{"192.0.2.9": http.StatusForbidden, "192.0.3.9": http.StatusOK} {
			response, err := client.Do(ask(who))
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("HTTP/2 %v: %s is answered %d, want %d", h2, who, response.StatusCode, want)
			}
		}
		eventually(t, "the reason of the cut is logged", func() bool { return strings.Contains(w.log.String(), `"reason":"blocked"`) })
	}
}

// TestSuspend: a suspended tenant's WebSockets and requests end, and what comes is 503 until it is resumed; other tenants do not notice.
func TestSuspend(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		w := newWorld(t, twoTenants)
		began := make(chan struct{}, 1)
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				began <- struct{}{}
				<-r.Context().Done()
				return
			}
			echo(rw, r)
		})
		goes, stays := w.talk("127.0.0.1", "https://a.example/ws"), w.talk("127.0.0.1", "https://b.example/ws")
		client := w.client("direct", "127.0.0.1", h2)
		answered := make(chan *http.Response, 1)
		go func() {
			response, err := client.Get("https://a.example/slow")
			if err != nil {
				t.Error(err)
			}
			answered <- response
		}()
		<-began
		tenant := w.table.Tenant("acme")
		w.order(tenancy.Levers{Suspended: map[string]tenancy.Order{"acme": ordered(0)}})
		diesWithin(t, goes, inTime)
		if response := <-answered; response != nil {
			response.Body.Close()
			if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "300" {
				t.Errorf("HTTP/2 %v: a request that waits is answered %d, %v", h2, response.StatusCode, response.Header)
			}
		}
		say(t, stays)
		if w.table.Tenant("acme") != tenant {
			t.Error("a lever makes another tenant")
		}
		w.answerWith(nil)
		if status, _ := w.get(client, "https://a.example/"); status != http.StatusServiceUnavailable {
			t.Errorf("HTTP/2 %v: a suspended tenant answers %d", h2, status)
		}
		eventually(t, "the reason is logged", func() bool { return strings.Count(w.log.String(), `"reason":"suspended"`) == 3 })
		w.order(tenancy.Levers{})
		if status, _ := w.get(client, "https://a.example/"); status != http.StatusOK {
			t.Errorf("HTTP/2 %v: a resumed tenant answers %d", h2, status)
		}
	}
}

// TestMaintenance: what is closed is answered with 503, the operator's page and
// when to come again, after access and without a backend.
func TestMaintenance(t *testing.T) {
	t.Parallel()
	const shown = "<!doctype html><title>acme</title>Back at noon: ā"
	w := newWorldWith(t, fstest.MapFS{"acme.html": {Data: []byte(shown)}}, map[string]string{"acme": `
hosts: [a.example]
access: {allow: [127.0.0.1, 127.0.0.2]}
backends: ["{backend}"]
maintenance: [{from: "` + time.Now().Add(-time.Hour).UTC().Format(time.RFC3339) + `", for: 2h, bypass: [127.0.0.2, 127.0.0.3], page: acme.html}]
routes: {/open/: {maintenance: []}}
`})
	for _, h2 := range []bool{false, true} {
		client := w.client("direct", "127.0.0.1", h2)
		for _, method := range []string{"GET", "HEAD", "POST"} {
			r, err := http.NewRequestWithContext(t.Context(), method, "https://a.example/x", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			want := shown
			if method == "HEAD" {
				want = ""
			}
			if err != nil || response.StatusCode != http.StatusServiceUnavailable || string(body) != want {
				t.Errorf("HTTP/2 %v: %s is answered %d, %q, %v", h2, method, response.StatusCode, body, err)
			}
			wantClosed(t, response, len(shown))
		}
		for _, c := range []struct {
			ip, path string
			want     int
		}{{"127.0.0.1", "/open/", 200}, {"127.0.0.2", "/x", 200}, {"127.0.0.3", "/x", 403}} {
			if status, _ := w.get(w.client("direct", c.ip, h2), "https://a.example"+c.path); status != c.want {
				t.Errorf("HTTP/2 %v: %s from %s is answered %d, want %d", h2, c.path, c.ip, status, c.want)
			}
		}
	}
	eventually(t, "the reason is logged", func() bool { return strings.Count(w.log.String(), `"reason":"maintenance"`) == 6 })
}

// wantClosed wants the fields of an answer during the hour for which a tenant is
// closed.
func wantClosed(t *testing.T, response *http.Response, length int) {
	t.Helper()
	again, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil || again < 3500 || again > 3601 {
		t.Errorf("Retry-After is %q, want an hour", response.Header.Get("Retry-After"))
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Content-Length": strconv.Itoa(length),
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if len(response.Header.Get("X-Request-Id")) != refBytes {
		t.Errorf("the answer has no ref: %v", response.Header)
	}
}

// TestMaintenanceByCommand: it holds for as long as was ordered, and what is
// open goes on.
func TestMaintenanceByCommand(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.answerWith(echo)
	open := w.talk("127.0.0.1", "https://a.example/ws")
	w.answerWith(nil)
	w.order(tenancy.Levers{Maintenance: map[string]tenancy.Order{"acme": ordered(0)}})
	client := w.client("direct", "127.0.0.1", false)
	if status, body := w.get(client, "https://a.example/"); status != http.StatusServiceUnavailable || !strings.Contains(body, "503 Service Unavailable") {
		t.Errorf("a tenant in maintenance answers %d, %q", status, body)
	}
	if status, _ := w.get(client, "https://b.example/"); status != http.StatusOK {
		t.Errorf("another tenant answers %d", status)
	}
	say(t, open)
	past := ordered(0)
	past.Until = past.At.Add(-time.Second)
	w.order(tenancy.Levers{Maintenance: map[string]tenancy.Order{"acme": past}})
	if status, _ := w.get(client, "https://a.example/"); status != http.StatusOK {
		t.Errorf("a tenant whose maintenance is over answers %d", status)
	}
}
