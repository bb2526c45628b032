package gateway

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// garbageMost is how much garbage may lie about before it is collected, in
	// percent of what is in use: a collection among ten thousand connections takes
	// a tenth of a second of a processor.
	garbageMost = 400
	// garbageLeast is what Go's collector does where nobody says otherwise.
	garbageLeast = 100

	// collectorRoom is which part of the memory that is shared out may be in use or
	// garbage before there is less of that.
	collectorRoom = 2

	// earlyPercent is how much of the garbage that may lie about is there when a
	// collection begins. Go's collector begins as late as it can with what comes on
	// average, and has whoever allocates do its work where more comes: a hundred
	// handshakes in a row would be what it begins with, and what it makes wait.
	earlyPercent = 60

	tuneEvery = 250 * time.Millisecond
)

// collector lets garbage lie about as long as there is memory for it, and has it
// collected before anybody has to wait for that.
type collector struct {
	room    int64 // bytes
	percent int
	heap    []metrics.Sample
}

func newCollector(shared int64) *collector {
	return &collector{room: shared / collectorRoom, percent: garbageLeast, heap: []metrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/gc/heap/goal:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/scan/stack:bytes"},
		{Name: "/gc/scan/globals:bytes"},
	}}
}

// run adapts Go's collector until ctx ends, unless the operator has set it
// (GOGC).
func (c *collector) run(ctx context.Context) {
	if _, set := os.LookupEnv("GOGC"); set {
		return
	}
	former := debug.SetGCPercent(garbageMost)
	defer debug.SetGCPercent(former)
	c.percent = garbageMost
	tick := time.NewTicker(tuneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			c.tune()
		}
	}
}

// tune looks at the heap as it is now and as it was left by the last collection.
func (c *collector) tune() {
	metrics.Read(c.heap)
	var is [5]int64
	for i, s := range c.heap {
		is[i] = int64(s.Value.Uint64())
	}
	live, goal, now, scanned := is[0], is[1], is[2], is[3]+is[4]
	if p := garbagePercent(live+scanned, c.room); p != c.percent {
		debug.SetGCPercent(p)
		c.percent = p
	}
	if mayCollect(live, goal, now) {
		runtime.GC()
	}
}

// mayCollect reports whether a collection is to begin early: not where garbage is
// let lie about less than Go does, and to begin early would have it run all the
// time.
func mayCollect(live, goal, now int64) bool {
	garbage := goal - live
	return garbage >= live && now > live+garbage/100*earlyPercent
}

// garbagePercent returns how much garbage may lie about where so much is in use
// and there is room for so much, rounded down so that it seldom changes.
func garbagePercent(live, room int64) int {
	const step = 50
	percent := int64(garbageMost)
	if live > 0 {
		percent = (room - live) / max(live/100, 1) / step * step
	}
	return int(min(max(percent, garbageLeast), garbageMost))
}
