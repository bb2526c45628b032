package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// TestCircuitBreaker: a backend gets no more connections, or requests that it has
// not answered, than it may; what is more goes to another one, or is refused at
// once.
func TestCircuitBreaker(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule   string
		answer string // before the backend stops
		most   int
	}{
		{"{connections: 3}", "", 3},
		{"{pending: 2}", "", 2},
		{"{connections: 4}", "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nabc", 4},
		{"{connections: 5, pending: 1}", "HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nabc", 5},
	} {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			var open atomic.Int32
			arrived := make(chan bool, 20)
			end := make(chan bool)
			slow := serveConns(t, func(c net.Conn) {
				open.Add(1)
				readRequest(c)
				_, _ = io.WriteString(c, test.answer)
				arrived <- true
				<-end
			})
			g := startGateway(t, tenantWith("ejection: off\ncircuit_breaker: "+test.rule+"\n", slow), setup{})
			for range test.most {
				c := g.dial(t)
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(patience))
				_, _ = io.WriteString(c, get11("a.example", "/"))
				<-arrived
				if test.answer != "" {
					_, _ = io.ReadAtLeast(c, make([]byte, 17), 17) // the answer has begun
				}
			}
			for range 3 {
				c := g.dial(t)
				_ = c.SetDeadline(time.Now().Add(patience))
				resp := ask(t, c, get11("a.example", "/"))
				if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
					t.Errorf("one more: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
				}
				c.Close()
			}
			if got := open.Load(); got != int32(test.most) {
				t.Errorf("%d connections to the backend, want %d", got, test.most)
			}
			for series, want := range map[string]float64{
				`gatehouse_circuit_breaker_total{tenant="acme"}`:                      3,
				`gatehouse_refusals_total{reason="too_many_in_flight",tenant="acme"}`: 3,
			} {
				eventually(t, fmt.Sprintf("%s is %v", series, want), func() bool { return counter(t, g.metrics, series) == want })
			}
			close(end)
		})
	}
}

// TestCircuitBreakerSpills: another backend takes what one has no room for.
func TestCircuitBreakerSpills(t *testing.T) {
	t.Parallel()
	arrived, end := make(chan bool, 20), make(chan bool)
	slow := serveConns(t, func(c net.Conn) {
		readRequest(c)
		arrived <- true
		<-end
	})
	defer close(end)
	quick := namedBackend(t, "quick", nil)
	g := startGateway(t, tenantWith("circuit_breaker: {connections: 1}\n", slow, quick), setup{})
	c := g.dial(t)
	defer c.Close()
	_, _ = io.WriteString(c, get11("a.example", "/")) // the first goes to the first
	<-arrived
	for range 10 {
		if status, who := whoAnswers(t, g, ""); status != http.StatusOK || who != "quick" {
			t.Errorf("%d from %q, want quick", status, who)
		}
	}
}

// TestOpenCircuit: a pool that fails requests is left alone for a while where the
// table says so of its last backend, too, and comes back by one that tries it.
func TestOpenCircuit(t *testing.T) {
	t.Parallel()
	var status atomic.Int32
	var asked atomic.Int32
	backend := statusBackend(t, "app", func(*http.Request) int {
		asked.Add(1)
		return int(status.Load())
	})
	g := startGateway(t, tenantWith("ejection: {failures: off, errors: 50%, of: 10, first: 5s, last: true}\n", backend), setup{})
	status.Store(500)
	for range 10 {
		if got, _ := whoAnswers(t, g, ""); got != 500 {
			t.Fatalf("answered with %d, want the backend's 500", got)
		}
	}
	status.Store(200)
	if got, _ := whoAnswers(t, g, ""); got != http.StatusServiceUnavailable || asked.Load() != 10 {
		t.Errorf("answered with %d, and %d arrived; want 503 and 10", got, asked.Load())
	}
	opened := time.Now()
	for got := 0; got != http.StatusOK; got, _ = whoAnswers(t, g, "") {
		if time.Since(opened) > patience {
			t.Fatal("the backend is not tried again")
		}
		<-time.After(50 * time.Millisecond) // a handshake each time is work enough
	}
	if asked.Load() != 11 {
		t.Errorf("%d arrived, want 11", asked.Load())
	}
	eventually(t, "the backend is up after it has answered", func() bool { return poolStatus(g) == "up" })
}
