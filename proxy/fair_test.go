package proxy

import (
	"net/http"
	"testing"

	"gatehouse/internal/limit"
)

// TestHandshakesAreShared: while the processors are busy handshakes wait, and of
// too many those of the tenant with the most are closed.
func TestHandshakesAreShared(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.server.signing = limit.NewFair(1, 2)
	w.server.signing.Enter("busy", 1)
	dial := func(host string) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := w.tryDial("127.0.0.1", w.tlsConfig(host))
			done <- err
		}()
		return done
	}
	first := dial("a.example")
	eventually(t, "one waits", func() bool { return w.server.signing.Waiting() == 1 })
	second := dial("a.example")
	eventually(t, "two wait", func() bool { return w.server.signing.Waiting() == 2 })
	other := dial("b.example")
	if err := <-second; err == nil {
		t.Error("the last handshake of the tenant with the most is served")
	}
	w.server.signing.Leave()
	for name, done := range map[string]<-chan error{"the first": first, "the other tenant's": other} {
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	eventually(t, "the refusal is counted", func() bool {
		return counter(t, w.metrics, `gatehouse_connection_refusals_total{listener="`+w.addr("direct")+`",reason="too_many_connections"}`) == 1
	})
}

// TestPlacesAreShared: a tenant that takes all it can leaves some for others,
// and WebSockets take none.
func TestPlacesAreShared(t *testing.T) {
	t.Parallel()
	w := newGatedWorld(t, OwnPlane, "")
	w.server.places = limit.NewShare(9)
	answer := make(chan struct{})
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ws":
			echo(rw, r)
		case "/slow":
			<-answer
		}
	})
	c := w.client("direct", "127.0.0.1", false)
	talk := w.talk("127.0.0.1", "https://a.example/ws")
	say(t, talk)
	var slow []<-chan int
	for range 8 {
		slow = append(slow, w.start(c, "https://a.example/slow"))
	}
	eventually(t, "eight are in progress", func() bool { taken, _ := w.server.places.Taken(); return taken == 8 })
	if status, retry := askOnce(t, c, "https://a.example/"); status != http.StatusServiceUnavailable || retry != 1 {
		t.Errorf("one more of the tenant with the most is answered with %d, to come again after %d s; want 503 and 1", status, retry)
	}
	if status, _ := askOnce(t, c, "https://b.example/"); status != http.StatusOK {
		t.Errorf("the other tenant's is answered with %d", status)
	}
	w.set("acme", gatedTenant("timeouts: {idle: 10s}\n"))
	if status, _ := askOnce(t, c, "https://a.example/"); status != http.StatusServiceUnavailable {
		t.Errorf("after a reload it is answered with %d, want 503", status)
	}
	close(answer)
	for _, status := range slow {
		if got := <-status; got != http.StatusOK {
			t.Errorf("one that has its place is answered with %d", got)
		}
	}
	_ = talk.CloseNow()
	eventually(t, "nothing is in progress", func() bool { taken, _ := w.server.places.Taken(); return taken == 0 })
}
