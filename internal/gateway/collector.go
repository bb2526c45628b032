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
	heap    [heapFigures]metrics.Sample
	cycles  int64 // collections at the last look
	before  int64 // what had been allocated when the last of them was seen
}

// What is looked at.
const (
	heapLive = iota // bytes that the last collection has left
	heapGoal        // bytes at which Go has ended the next one
	heapAllocated
	heapStacks
	heapGlobals
	heapCycles
	heapFigures
)

func newCollector(shared int64) *collector {
	return &collector{room: shared / collectorRoom, percent: garbageLeast, heap: [heapFigures]metrics.Sample{
		heapLive: {Name: "/gc/heap/live:bytes"}, heapGoal: {Name: "/gc/heap/goal:bytes"},
		heapAllocated: {Name: "/gc/heap/allocs:bytes"}, heapStacks: {Name: "/gc/scan/stack:bytes"},
		heapGlobals: {Name: "/gc/scan/globals:bytes"}, heapCycles: {Name: "/gc/cycles/total:gc-cycles"},
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

// tune looks at the heap as the last collection has left it, and at what has been
// allocated since: what is in use by now counts the dead that were not swept yet.
func (c *collector) tune() {
	metrics.Read(c.heap[:])
	var is [heapFigures]int64
	for i, s := range c.heap {
		is[i] = int64(s.Value.Uint64())
	}
	if is[heapCycles] != c.cycles {
		c.cycles, c.before = is[heapCycles], is[heapAllocated]
	}
	if p := garbagePercent(is[heapLive]+is[heapStacks]+is[heapGlobals], c.room); p != c.percent {
		debug.SetGCPercent(p)
		c.percent = p
	}
	if c.percent > garbageLeast && collectsEarly(is[heapLive], is[heapGoal], is[heapAllocated]-c.before) {
		runtime.GC()
	}
}

// collectsEarly reports whether a collection is to begin, where so much is in use,
// one would have ended at the goal, and so much was allocated since the last one.
func collectsEarly(live, goal, allocated int64) bool {
	return goal > live && allocated > (goal-live)/100*earlyPercent
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
