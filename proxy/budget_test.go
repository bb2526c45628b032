package proxy

import (
	"net/netip"
	"testing"
	"time"
)

func clientConn(addr string) *conn {
	return &conn{peer: peer{client: netip.MustParseAddr(addr)}}
}

func TestBudgetPerClient(t *testing.T) {
	var b budget
	var held []*conn
	for range connectionsPerClientMax {
		c := clientConn("203.0.113.7")
		if !b.claimClient(c, connectionsPerClientMax, connectionsMax) {
			t.Fatalf("connection %d of a client is refused", len(held)+1)
		}
		held = append(held, c)
	}
	if b.claimClient(clientConn("203.0.113.7"), connectionsPerClientMax, connectionsMax) {
		t.Error("a client has one connection too many")
	}
	if !b.claimClient(clientConn("203.0.113.8"), connectionsPerClientMax, connectionsMax) {
		t.Error("another client is refused")
	}
	b.unclaim(held[0])
	if !b.claimClient(clientConn("203.0.113.7"), connectionsPerClientMax, connectionsMax) {
		t.Error("a place that was given back is not there")
	}
}

func TestBudgetForgets(t *testing.T) {
	var b budget
	for _, addr := range []string{"203.0.113.7", "2001:db8::1", "203.0.113.7"} {
		c := clientConn(addr)
		if !b.claim(c) || !b.claimClient(c, connectionsPerClientMax, connectionsMax) {
			t.Fatalf("%s is refused", addr)
		}
		b.shaken(c)
		b.shaken(c)
		b.unclaim(c)
	}
	if b.handshakes.Load() != 0 {
		t.Errorf("%d handshakes count as open, want none", b.handshakes.Load())
	}
	if n := b.clients.Len(); n != 0 {
		t.Errorf("%d clients without connections are remembered", n)
	}
}

func TestBudgetInTotal(t *testing.T) {
	var b budget
	c := clientConn("203.0.113.7")
	b.handshakes.Store(handshakesMax)
	if b.claim(c) {
		t.Error("one handshake too many is taken")
	}
	b.unclaim(c)
	if b.handshakes.Load() != handshakesMax {
		t.Error("a refused handshake changes the counts")
	}
}

// TestBudgetRunsShort: where there is room for few connections, who has many
// gets none, and who has few gets in.
func TestBudgetRunsShort(t *testing.T) {
	for _, test := range []struct{ handshakes, room int }{
		{handshakesMax - 10, connectionsMax},
		{0, 10},
	} {
		var b budget
		b.handshakes.Store(int64(test.handshakes))
		had := 0
		for b.claimClient(clientConn("203.0.113.7"), connectionsPerClientMax, test.room) {
			had++
		}
		if had != 10*clientGreed {
			t.Errorf("a client has %d connections where there is room for 10 more, want %d", had, 10*clientGreed)
		}
		if !b.claimClient(clientConn("203.0.113.8"), connectionsPerClientMax, test.room) {
			t.Error("another client gets none")
		}
	}
}

func TestRefusalLog(t *testing.T) {
	var l refusalLog
	second := int64(time.Second)
	a, b := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")
	for _, step := range []struct {
		at   int64
		addr netip.Addr
		want bool
	}{
		{100, a, true},
		{100, a, false},
		{100, b, true},
		{130, a, false},
		{159, a, false},
		{161, a, true},
		{190, b, true},
		{220, a, false},
		{222, a, true},
	} {
		l.sweep(step.at * second)
		if got := l.first(step.addr, step.at*second); got != step.want {
			t.Errorf("at %d s a refusal of %s is logged: %v, want %v", step.at, step.addr, got, step.want)
		}
	}
}

func TestRefusalLogIsBounded(t *testing.T) {
	var l refusalLog
	logged := 0
	addr := netip.MustParseAddr("10.0.0.0")
	for range 3 * refusalsMax {
		addr = addr.Next()
		if l.first(addr, 1) {
			logged++
		}
	}
	if logged != refusalsMax || len(l.recent) != refusalsMax {
		t.Errorf("%d addresses are logged and %d remembered within a minute, want %d", logged, len(l.recent), refusalsMax)
	}
}

func TestTally(t *testing.T) {
	var y tally
	<-y.none()
	y.add()
	y.add()
	none := y.none()
	y.done()
	select {
	case <-none:
		t.Fatal("one is open, and the tally says none is")
	default:
	}
	y.done()
	<-none
	<-y.none()
}
