package proxy

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// limitListener writes limits of the direct and the proxied listener anew.
func (w *world) limitListener(limits string) {
	w.t.Helper()
	w.listen = fmt.Sprintf("http: [%q]\nhttps:\n- {address: %q, limits: %s}\n- {address: %q, client_ip: {proxy_protocol: [%s]}, limits: %s}\n",
		w.addr("plain"), w.addr("direct"), limits, w.addr("proxied"), balancer, limits)
	w.apply()
}

// closedAtOnce reports whether a listener closes a new connection without a word.
func closedAtOnce(t *testing.T, c net.Conn) bool {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	return err != nil && !isTimeout(err)
}

func TestListenerConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.limitListener("{connections: 2}")
	first := w.dial("127.0.0.1", "a.example")
	second := w.dial("127.0.0.1", "b.example")
	if _, err := w.tryDial("127.0.0.1", w.tlsConfig("a.example")); err == nil {
		t.Error("a third connection of two is served")
	}
	plain, err := from("127.0.0.1").Dial("tcp", w.addr("plain"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if closedAtOnce(t, plain) {
		t.Error("a listener without a limit closes the connection of a client who has two elsewhere")
	}
	plain.Close()
	if _, err := w.tryDial("127.0.0.2", w.tlsConfig("a.example")); err != nil {
		t.Errorf("another client: %v", err)
	}
	w.limitListener("{connections: 3}")
	w.dial("127.0.0.1", "a.example")
	first.Close()
	second.Close()
	w.limitListener("{connections: 2}")
	eventually(t, "there is room again", func() bool {
		c, err := w.tryDial("127.0.0.1", w.tlsConfig("a.example"))
		return err == nil && c.Close() == nil
	})
	eventually(t, "the refusal is counted", func() bool {
		return counter(t, w.metrics, `gatehouse_connection_refusals_total{listener="`+w.addr("direct")+`",reason="too_many_connections"}`) > 0
	})
}

func TestListenerHandshakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.limitListener("{handshakes: 2/2h}")
	for range 2 {
		w.dial("127.0.0.1", "a.example").Close()
	}
	if _, err := w.tryDial("127.0.0.1", w.tlsConfig("a.example")); err == nil {
		t.Error("a third handshake of two is served")
	}
	w.dial("127.0.0.2", "a.example")
	// Behind a load balancer it is the client that counts.
	for i, want := range []bool{true, true, false} {
		_, err := w.throughBalancer("a.example", "PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n")
		if served := err == nil; served != want {
			t.Errorf("handshake %d of the client is served: %v, want %v; %v", i, served, want, err)
		}
	}
	refused := `gatehouse_connection_refusals_total{listener="` + w.addr("proxied") + `",reason="too_many_connections"}`
	eventually(t, "the refusal is counted", func() bool { return counter(t, w.metrics, refused) == 1 })
	w.limitListener("{handshakes: off}")
	w.dial("127.0.0.1", "a.example")
	if !strings.Contains(w.events.String(), "reason=too_many_connections") {
		t.Error("the refusal is not logged")
	}
}
