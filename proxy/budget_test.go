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
		if !b.claimClient(c, connectionsPerClientMax) {
			t.Fatalf("connection %d of a client is refused", len(held)+1)
		}
		held = append(held, c)
	}
	if b.claimClient(clientConn("203.0.113.7"), connectionsPerClientMax) {
		t.Error("a client has one connection too many")
	}
	if !b.claimClient(clientConn("203.0.113.8"), connectionsPerClientMax) {
		t.Error("another client is refused")
	}
	b.unclaim(held[0])
	if !b.claimClient(clientConn("203.0.113.7"), connectionsPerClientMax) {
		t.Error("a place that was given back is not there")
	}
}

func TestBudgetForgets(t *testing.T) {
	var b budget
	for _, addr := range []string{"203.0.113.7", "2001:db8::1", "203.0.113.7"} {
		c := clientConn(addr)
		if !b.claim(c) || !b.claimClient(c, connectionsPerClientMax) {
			t.Fatalf("%s is refused", addr)
		}
		b.shaken(c)
		b.shaken(c)
		b.unclaim(c)
	}
	if b.open.Load() != 0 || b.handshakes.Load() != 0 {
		t.Errorf("%d connections and %d handshakes count as open, want none", b.open.Load(), b.handshakes.Load())
	}
	if n := b.clients.Len(); n != 0 {
		t.Errorf("%d clients without connections are remembered", n)
	}
}

func TestBudgetInTotal(t *testing.T) {
	var b budget
	b.open.Store(connectionsMax)
	c := clientConn("203.0.113.7")
	if b.claim(c) {
		t.Error("one connection too many is taken")
	}
	b.unclaim(c)
	if got := b.open.Load(); got != connectionsMax {
		t.Errorf("a refused connection changes the count to %d", got)
	}
	b.open.Store(0)
	b.handshakes.Store(handshakesMax)
	if b.claim(c) {
		t.Error("one handshake too many is taken")
	}
	b.unclaim(c)
	if b.open.Load() != 0 || b.handshakes.Load() != handshakesMax {
		t.Error("a refused handshake changes the counts")
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
