package proxy

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// TestRetryBudget: backends that read a request and hang up see no more of it
// than the budget leaves, and what is over is answered as it was failed.
func TestRetryBudget(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		retries string
		n       int
		want    int32 // that arrive
	}{
		{"{budget: 20%, min: off}", 20, 24},
		{"{budget: 0%, min: 1/s}", 20, 30},
		{"{budget: 0%, min: off}", 20, 20},
		{"{budget: 100%, min: off}", 20, 40},
		{"{attempts: 1, budget: 100%}", 20, 20},
		{"{attempts: 2}", 20, 40},
	} {
		t.Run(test.retries, func(t *testing.T) {
			t.Parallel()
			var arrived atomic.Int32
			die := func(c net.Conn) {
				readRequest(c)
				arrived.Add(1)
			}
			g := startGateway(t, tenantWith("ejection: off\nretries: "+test.retries+"\n",
				serveConns(t, die), serveConns(t, die), serveConns(t, die)), setup{})
			c := g.dial(t) // one for all: they have to come within the budget's ten seconds
			for range test.n {
				if got := ask(t, c, get11("a.example", "/")); got.StatusCode != http.StatusBadGateway {
					t.Fatalf("answered with %d, want 502", got.StatusCode)
				}
			}
			got := arrived.Load()
			if got != test.want {
				t.Errorf("%d requests arrived %d times, want %d", test.n, got, test.want)
			}
			if retried := counter(t, g.metrics, `gatehouse_backend_retries_total{tenant="acme"}`); retried != float64(int(got)-test.n) {
				t.Errorf("%v are counted as retries, want %d", retried, int(got)-test.n)
			}
			refused := counter(t, g.metrics, `gatehouse_retries_refused_total{tenant="acme"}`)
			if spent := !strings.Contains(test.retries, "attempts"); spent != (refused > 0) {
				t.Errorf("%v are counted as refused", refused)
			}
		})
	}
}

// TestUnreachedIsNoRetry: to pass over a backend that cannot be reached costs
// nothing of the budget, and no answer.
func TestUnreachedIsNoRetry(t *testing.T) {
	t.Parallel()
	g := startGateway(t, tenantWith("ejection: off\nretries: {budget: 0%, min: off}\n",
		refusedPort(t), refusedPort(t), namedBackend(t, "c", nil)), setup{})
	for i := range 20 {
		if status, who := whoAnswers(t, g, ""); status != http.StatusOK || who != "c" {
			t.Errorf("request %d: %d of %q, want 200 of c", i, status, who)
		}
	}
	if use := g.Stats().Limits["acme"]; len(use) != 0 {
		t.Errorf("used of the limits: %v, want nothing", use)
	}
}

// TestRetriesOutliveReload: a reload gives nobody what has been used, and status
// says how much that is.
func TestRetriesOutliveReload(t *testing.T) {
	t.Parallel()
	die := func(c net.Conn) { readRequest(c) }
	text := tenantWith("ejection: off\nretries: {budget: 0%, min: 1/s}\n", serveConns(t, die), serveConns(t, die))
	g := startGateway(t, text, setup{})
	c := g.dial(t)
	fail := func() {
		if got := ask(t, c, get11("a.example", "/")); got.StatusCode != http.StatusBadGateway {
			t.Fatalf("answered with %d, want 502", got.StatusCode)
		}
	}
	for range 5 {
		fail()
	}
	g.Apply(compileTable(t, strings.Replace(text, "1/s", "2/s", 1), setup{}))
	fail()
	want := LimitUse{Level: `tenant "acme"`, Limit: "retries", Text: "0% of requests, at least 2/s", Used: 0.3, Now: "6 in the last 10s, of 20"}
	if got := g.Stats().Limits["acme"]; len(got) != 1 || got[0] != want {
		t.Errorf("used of the limits: %v, want %v", fmt.Sprint(got), want)
	}
}
