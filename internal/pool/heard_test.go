package pool

import (
	"io"
	"net"
	"testing"
	"time"
)

// What a machine has taken is acknowledged, although nobody has read it; what
// it has no room for is not, and its machine is there all the same.
func TestHeard(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	backend, report := compileURL("http://" + l.Addr().String())
	if report.Faults() > 0 {
		t.Fatal(report.Findings())
	}
	round := New("t /", NewPlan([]*Backend{backend}, Rules{}), Options{}).Round(0, true)
	defer round.Release()
	c, err := round.Next(time.Now()).Dial(time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	until := time.Now().Add(20 * time.Second)
	for all, gone := c.Heard(); !all || gone; all, gone = c.Heard() {
		if time.Now().After(until) {
			t.Fatalf("a request in a socket: all %t, gone %t", all, gone)
		}
	}
	fill(t, c.raw)
	if all, gone := c.Heard(); all || gone {
		t.Errorf("more than there is room for: all %t, gone %t; want neither", all, gone)
	}
	c.Close()
	if all, gone := c.Heard(); !all || gone {
		t.Errorf("a closed connection: all %t, gone %t", all, gone)
	}
}

func TestMore(t *testing.T) {
	for _, test := range []struct {
		backends []string
		want     []bool // after each that was picked
	}{
		{[]string{"a"}, []bool{false}},
		{[]string{"a", "b", "c"}, []bool{true, true, false}},
		{[]string{"a", "backup"}, []bool{true, false}},
		{[]string{"a", "drain"}, []bool{false}},
	} {
		p := poolOf(t, Rules{}, test.backends...)
		round := p.Round(0, true)
		for i, want := range test.want {
			if round.Next(time.Now()) == nil {
				t.Fatalf("%v: there are %d only", test.backends, i)
			}
			if got := round.More(); got != want {
				t.Errorf("%v: more after %d is %t, want %t", test.backends, i+1, got, want)
			}
		}
		round.Release()
	}
	p := poolOf(t, Rules{Ejection: Ejection{Failures: 1, First: time.Minute, Longest: time.Minute, Share: 50}}, "a", "b")
	round := p.Round(0, true)
	defer round.Release()
	round.Next(time.Now())
	round.Failed(time.Now(), "a test")
	round.Next(time.Now())
	if round.More() {
		t.Error("an ejected backend counts as one more")
	}
}
