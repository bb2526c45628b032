package proxy

import (
	"testing"
)

// TestHandshakesAreShared: while the processors are busy handshakes wait, and of
// too many those of the tenant with the most are closed.
func TestHandshakesAreShared(t *testing.T) {
	t.Parallel()
	w := busyWorld(t, twoTenants, 2)
	turns := w.server.processors.fair
	dial := func(host string) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := w.tryDial("127.0.0.1", w.tlsConfig(host))
			done <- err
		}()
		eventually(t, "it says whom it wants", func() bool { _, came := w.server.processors.hellos.Next(); return came })
		return done
	}
	first := dial("a.example")
	eventually(t, "one waits", func() bool { return turns.Waiting() == 1 })
	second := dial("a.example")
	eventually(t, "two wait", func() bool { return turns.Waiting() == 2 })
	other := dial("b.example")
	if err := <-second; err == nil {
		t.Error("the last handshake of the tenant with the most is served")
	}
	turns.Next()
	turns.Next()
	for name, done := range map[string]<-chan error{"the first": first, "the other tenant's": other} {
		if err := <-done; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	eventually(t, "the refusal is counted", func() bool {
		return counter(t, w.metrics, `gatehouse_connection_refusals_total{listener="`+w.addr("direct")+`",reason="too_many_connections"}`) == 1
	})
}
