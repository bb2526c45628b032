package proxy

import (
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"gatehouse/tenancy"
)

// receiptOf returns what is remembered of a ref, once it is.
func receiptOf(t *testing.T, s *Server, ref string) (r Receipt) {
	t.Helper()
	eventually(t, "the request is remembered", func() (ok bool) {
		r, ok = s.Receipt(ref)
		return ok
	})
	return r
}

// What becomes of requests is remembered by their refs: who asked for what, what
// refused them, and what happened at the backends.
func TestReceipts(t *testing.T) {
	t.Parallel()
	for _, h2 := range []bool{false, true} {
		w := newWorld(t, twoTenants)
		client := w.client("direct", "127.0.0.1", h2)
		refOf := func(client *http.Client, url string) string {
			t.Helper()
			response, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			return response.Header.Get("X-Request-Id")
		}
		r := receiptOf(t, w.server, refOf(client, "https://a.example/x?y"))
		want := Receipt{
			Ref: r.Ref, Table: 1, Client: netip.MustParseAddr("127.0.0.1"), Listener: w.addr("direct"), SNI: "a.example",
			Protocol: r.Protocol, Method: "GET", Host: "a.example", Path: "/x", Tenant: "acme", Status: 200, Relayed: true,
			BytesOut: int64(len("acme for 127.0.0.1")), Started: r.Started, Took: r.Took, Connect: r.Connect,
			Tries: []Try{{Backend: strings.TrimPrefix(w.backend("acme"), "http://"), Took: r.Tries[0].Took, Outcome: "answered", Answered: true}},
		}
		if diff := cmp.Diff(want, r, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("HTTP/2 %v: %s", h2, diff)
		}
		if (r.Protocol == "HTTP/2.0") != h2 || time.Since(r.Started) > patience || r.Took <= 0 || r.Tries[0].Took > r.Took {
			t.Errorf("HTTP/2 %v: %+v", h2, r)
		}
		stranger := w.client("direct", "127.0.0.3", h2)
		long := "/" + strings.Repeat("p", 2*receiptText)
		r = receiptOf(t, w.server, refOf(stranger, "https://a.example"+long))
		if r.Reason != tenancy.IPNotAllowed || r.Status != 403 || r.Tries != nil || !r.PathCut || !strings.HasPrefix(long, r.Path) || len(r.Path) < 250 {
			t.Errorf("HTTP/2 %v: %+v", h2, r)
		}
		r = receiptOf(t, w.server, refOf(w.client("plain", "127.0.0.1", false), "http://a.example/"))
		if !r.Plain || !r.Redirect || r.SNI != "" || r.Status != 308 || r.Tenant != "acme" {
			t.Errorf("over plain HTTP: %+v", r)
		}
	}
}

// What happened at each backend is told, and what came of it.
func TestReceiptTries(t *testing.T) {
	t.Parallel()
	raw := func(answer string) string {
		return serveConns(t, func(c net.Conn) {
			readRequest(c)
			io.WriteString(c, answer)
		})
	}
	for name, test := range map[string]struct {
		keys     string
		backends []string
		want     string
		reason   tenancy.Reason
		detail   string
	}{
		"refuses, then another": {
			"",
			[]string{refusedPort(t), namedBackend(t, "good", nil)},
			"was not reached: connection refused; answered", tenancy.NoReason, "",
		},
		"closes twice": {
			"",
			[]string{serveConns(t, readRequest), serveConns(t, readRequest)},
			"closed the connection without an answer; closed the connection without an answer", tenancy.BackendProtocol, "",
		},
		"retries are off": {
			"retries: {attempts: 1}\n",
			[]string{serveConns(t, readRequest), namedBackend(t, "good", nil)},
			"closed the connection without an answer", tenancy.BackendProtocol, "",
		},
		"malformed": {
			"",
			[]string{raw("HTTP/9 garbage\r\n\r\n")},
			"sent an answer that was refused", tenancy.BackendProtocol, "the status line is malformed",
		},
		"silent": {
			"timeouts: {first_byte: 1s}\n",
			[]string{serveConns(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })},
			"did not answer in time", tenancy.BackendTimeout, "",
		},
		"nobody": {"", []string{refusedPort(t)}, "was not reached: connection refused", tenancy.BackendConnect, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := startGateway(t, tenantWith(test.keys, slices.Clone(test.backends)...), setup{})
			c := g.dial(t)
			defer c.Close()
			r := receiptOf(t, g.Server, ask(t, c, get11("a.example", "/")).Header.Get("X-Request-Id"))
			var ends []string
			for i, try := range r.Tries {
				ends = append(ends, try.Outcome)
				if try.Backend != test.backends[i] || try.Took <= 0 {
					t.Errorf("try %d is %+v", i, try)
				}
			}
			if got := strings.Join(ends, "; "); got != test.want || r.Reason != test.reason || !strings.Contains(r.Detail, test.detail) {
				t.Errorf("%s; %s, %q; want %s; %s, %q", got, r.Reason, r.Detail, test.want, test.reason, test.detail)
			}
		})
	}
}

// Which limit of which level has refused is told, and why a head was.
func TestReceiptDetails(t *testing.T) {
	t.Parallel()
	g := startGateway(t, tenantWith("limits: {requests: 1/h, burst: 1}\nroutes: {/c/: {limits: {client: {requests: 1/h, burst: 1}}}}\n", namedBackend(t, "a", nil)), setup{})
	answer := func(request string) Receipt {
		c := g.dial(t)
		defer c.Close()
		return receiptOf(t, g.Server, ask(t, c, request).Header.Get("X-Request-Id"))
	}
	answer(get11("a.example", "/c/"))
	if r := answer(get11("a.example", "/")); r.Reason != tenancy.RateLimited || r.Level != `tenant "acme"` || r.Limit != "requests" {
		t.Errorf("%+v", r)
	}
	if r := answer(get11("a.example", "/c/")); r.Reason != tenancy.RateLimited || r.Level != `route "/c/"` || r.Limit != "client.requests" {
		t.Errorf("%+v", r)
	}
	r := answer("GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n")
	if r.Reason != tenancy.BadRequest || r.Detail == "" || r.Table != 0 {
		t.Errorf("%+v", r)
	}
}

// The last are remembered, one tenant does not displace another's of other
// shelves, and what was refused is not displaced by what was served.
func TestReceiptsAreBounded(t *testing.T) {
	all := receipts{seed: maphash.MakeSeed()}
	ex := sampleExchange(all.of("acme"))
	name := func(n int) string {
		copy(ex.ref[:], fmt.Sprintf("%016d", n))
		return string(ex.ref[:])
	}
	name(0)
	ex.reason = tenancy.RateLimited
	ex.tries.list[0].address = netip.MustParseAddr("2001:db8::10")
	all.note(ex, time.Now())
	if r, _ := all.find(name(0)); r.Tries[0].Backend != "app.internal:8080 (2001:db8::10)" || r.Path != string(ex.path) {
		t.Errorf("%+v", r)
	}
	ex.reason = tenancy.NoReason
	for n := range receiptsMost + 1 {
		name(n + 1)
		all.note(ex, time.Now())
	}
	for n, want := range map[int]bool{0: true, 1: false, 2: true, receiptsMost + 1: true, receiptsMost + 2: false} {
		if _, ok := all.find(name(n)); ok != want {
			t.Errorf("%d is remembered: %v, want %v", n, ok, want)
		}
	}
	if _, ok := all.find("short"); ok {
		t.Error("something is remembered of no ref")
	}
	if size := unsafe.Sizeof(receipt{}); size > 640 {
		t.Errorf("a receipt takes %d bytes; the constants count on 640", size)
	}
}

// sampleExchange is one that is over, as most are.
func sampleExchange(on *shelf) *exchange {
	listener := &tenancy.Listener{Name: ":443"}
	ex := &exchange{
		peer: &peer{sni: "pa.acme.example", tenantID: "acme", listener: listener}, client: netip.MustParseAddr("2001:db8::7"),
		method: []byte("GET"), authority: []byte("pa.acme.example"), path: []byte("/reports/2026/quarterly/index.html"),
		proto: "HTTP/2.0", status: 200, backend: "app.internal:8080", started: time.Now(), run: &running{receipts: on},
	}
	ex.tried(tryAnswered, 0, time.Now())
	return ex
}

func TestReceiptsAllocateNothing(t *testing.T) {
	all := receipts{seed: maphash.MakeSeed()}
	ex, now := sampleExchange(all.of("acme")), time.Now()
	if n := testing.AllocsPerRun(100, func() { all.note(ex, now) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// BenchmarkReceipt is what each request pays so that it can be asked about.
func BenchmarkReceipt(b *testing.B) {
	all := receipts{seed: maphash.MakeSeed()}
	on, now := all.of("acme"), time.Now()
	b.RunParallel(func(pb *testing.PB) {
		ex := sampleExchange(on)
		for pb.Next() {
			all.note(ex, now)
		}
	})
}
