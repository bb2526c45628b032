package limit

import (
	"testing"
	"time"
)

func TestNearest(t *testing.T) {
	k := NewKeyed(nil)
	q := Quota{Every: time.Second, Burst: 4}
	if n, used := k.Nearest(0, q); n != 0 || used != 0 {
		t.Errorf("of nobody: %d, %v", n, used)
	}
	for a, takes := range map[Address]int{7: 1, 8: 3, 9: 2} {
		for range takes {
			k.Take(a, 0, q)
		}
	}
	if n, used := k.Nearest(0, q); n != 3 || used != 0.75 {
		t.Errorf("%d clients, the nearest at %v; want 3, at 0.75", n, used)
	}
	if n, used := k.Nearest(int64(time.Second), q); n != 2 || used != 0.5 {
		t.Errorf("a second later: %d, %v; want 2, at 0.5", n, used)
	}
	var c Counts
	for _, a := range []Address{1, 2, 2, 2, 3} {
		c.Take(a, 5)
	}
	if n, most := c.Nearest(); n != 3 || most != 3 {
		t.Errorf("%d addresses, the most %d; want 3 and 3", n, most)
	}
}
