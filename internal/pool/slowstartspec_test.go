package pool

import (
	"testing"
	"testing/synctest"
	"time"
)

// A backend that comes up grows into its share, step by step.
func TestSlowStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rules := ejecting
		rules.SlowStart = SlowStart(100 * time.Second)
		p := poolOf(t, rules, "", "weight 3")
		share := func() int {
			n := 0
			for range 4000 {
				if once(p, 0) == 0 {
					n++
				}
			}
			return n
		}
		if got := share(); got != 1000 {
			t.Errorf("all began together: %d of 4000, want 1000", got)
		}
		time.Sleep(200 * time.Second)
		fail(p, 3, 0)
		time.Sleep(10 * time.Second)
		if got := once(p, 0); got != 0 {
			t.Fatal("there is no probe")
		}
		p.seats()[0].readmit(time.Now())
		last := 0
		for _, step := range []struct {
			age         time.Duration
			least, most int
		}{{0, 120, 140}, {5 * time.Second, 120, 140}, {50 * time.Second, 550, 590}, {99 * time.Second, 960, 1000}, {100 * time.Second, 1000, 1000}} {
			time.Sleep(step.age - time.Duration(last))
			last = int(step.age)
			if got := share(); got < step.least || got > step.most {
				t.Errorf("after %s: %d of 4000, want %d to %d", step.age, got, step.least, step.most)
			}
		}
		if v := p.view.Load(); !v.due.IsZero() {
			t.Error("it is looked at again although it has all of its weight")
		}
	})
}

func TestSlowStartText(t *testing.T) {
	for text, want := range map[string]string{
		"30s":   "30s",
		"1h":    "1h",
		"500ms": `slow_start is "500ms"; expected 1s to 1h, or off`,
		"61m":   `slow_start is "61m"; expected 1s to 1h, or off`,
	} {
		var s SlowStart
		got := ""
		if err := s.ParseConf(text); err != nil {
			got = err.Error()
		} else {
			got = s.String()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	var s SlowStart
	if err := s.ParseConf("soon"); err == nil {
		t.Error("soon is read")
	}
}
