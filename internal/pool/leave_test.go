package pool

import (
	"errors"
	"testing"
	"time"
)

// TestLeave: each connection that is open has leave, and gives it back once.
func TestLeave(t *testing.T) {
	l, _ := listen(t)
	left := 2
	o := Options{
		Take: func() bool {
			if left == 0 {
				return false
			}
			left--
			return true
		},
		Give: func() { left++ },
	}
	m := member(t, o, BackendSpec{URL: at("http://" + l.Addr().String())}, nil)
	var open []*Conn
	for range 2 {
		c, err := m.Dial(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	if _, err := m.Dial(time.Second); !errors.Is(err, ErrNoLeave) {
		t.Errorf("one more: %v, want no leave", err)
	}
	open[0].Keep()
	if left != 0 {
		t.Errorf("leave for %d is left while one is idle, want none", left)
	}
	if c := m.Reuse(); c == nil || left != 0 {
		t.Errorf("an idle one is %v, and leave for %d is left", c, left)
	}
	for _, c := range open {
		c.Close()
		c.Close()
	}
	if left != 2 {
		t.Errorf("leave for %d is left in the end, want 2", left)
	}
	l.Close()
	if _, err := m.Dial(time.Second); err == nil || left != 2 {
		t.Errorf("a backend that is not there: %v, leave for %d is left", err, left)
	}
}
