package gateway

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

func TestGarbagePercent(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		live, room int64
		want       int
	}{
		{0, 0, 400},
		{10 * mib, 1024 * mib, 400},
		{100 * mib, 501 * mib, 400},
		{100 * mib, 490 * mib, 350},
		{100 * mib, 250 * mib, 150},
		{100 * mib, 150 * mib, 100},
		{100 * mib, 50 * mib, 100},
		{1, 0, 100},
	} {
		if got := garbagePercent(test.live, test.room); got != test.want {
			t.Errorf("%d bytes in use and room for %d: %d %%, want %d", test.live, test.room, got, test.want)
		}
	}
}

func TestCollectsEarly(t *testing.T) {
	for _, test := range []struct {
		live, goal, allocated int64
		want                  bool
	}{
		{1000, 5000, 2300, false},
		{1000, 5000, 2500, true},
		{1000, 900, 200, false},
	} {
		if got := collectsEarly(test.live, test.goal, test.allocated); got != test.want {
			t.Errorf("%d bytes are in use, %d were allocated since, a collection is due at %d: begins early is %v", test.live, test.allocated, test.goal, got)
		}
	}
}

// percentNow is what Go's collector is set to.
func percentNow() int {
	is := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(is)
	return int(is[0].Value.Uint64())
}

// TestCollectorIsTuned: it is set while the gateway runs, unless the operator has
// said what it is to be.
func TestCollectorIsTuned(t *testing.T) {
	for name, test := range map[string]struct {
		set    bool
		shared int64
		want   int
	}{
		"there is memory": {false, 64 << 30, garbageMost},
		"there is none":   {false, 2, garbageLeast},
		"GOGC is set":     {true, 64 << 30, 80},
	} {
		t.Run(name, func(t *testing.T) {
			defer debug.SetGCPercent(debug.SetGCPercent(80))
			if test.set {
				t.Setenv("GOGC", "80")
			}
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				newCollector(test.shared).run(ctx)
			}()
			if test.set {
				<-ended
			}
			for began := time.Now(); percentNow() != test.want; <-time.After(10 * time.Millisecond) {
				if time.Since(began) > 20*time.Second {
					t.Fatalf("it is set to %d %%, want %d", percentNow(), test.want)
				}
			}
			stop()
			if <-ended; percentNow() != 80 {
				t.Errorf("it is set to %d %% afterwards, want what it was", percentNow())
			}
		})
	}
}
