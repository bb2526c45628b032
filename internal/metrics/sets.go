package metrics

import (
	"sync"
	"sync/atomic"
)

// LiveSource is how one live source of a set stands.
type LiveSource struct {
	Tenant string // whose set it is; "" for the main file's
	Set    string
	State  string  // a word of a fixed table
	Age    float64 // seconds since its last good answer; not told where Known is not set
	Known  bool
}

// LiveSets counts what is asked of live sources. Its methods may be called at
// the same time; a nil LiveSets counts nothing.
type LiveSets struct {
	mu    sync.Mutex
	asked map[askedSource]uint64
	ask   atomic.Pointer[func() []LiveSource]
}

type askedSource struct{ kind, result string }

// LiveSets returns the counters of live sources.
func (s *Set) LiveSets() *LiveSets {
	if s == nil {
		return nil
	}
	return &s.live
}

// Asked counts a question; kind and result are words of fixed tables.
func (l *LiveSets) Asked(kind, result string) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked == nil {
		l.asked = make(map[askedSource]uint64)
	}
	l.asked[askedSource{kind, result}]++
}

// Stand has each scrape ask how live sources stand.
func (l *LiveSets) Stand(ask func() []LiveSource) {
	if l != nil {
		l.ask.Store(&ask)
	}
}

// setSeriesMax bounds the series of ages: the names of sets are the operators'
// and of no bounded number. What is beyond is told by the states alone.
const setSeriesMax = 2000

// liveSets sends of each set the age of its oldest source.
func (e emitter) liveSets(l *LiveSets) {
	l.mu.Lock()
	for key, n := range l.asked {
		e.counter(setQuestions, n, key.kind, key.result)
	}
	l.mu.Unlock()
	ask := l.ask.Load()
	if ask == nil {
		return
	}
	type series struct{ tenant, set string }
	ages, states := make(map[series]float64), make(map[string]int)
	for _, s := range (*ask)() {
		states[s.State]++
		key := series{s.Tenant, s.Set}
		if _, told := ages[key]; s.Known && (told || len(ages) < setSeriesMax) {
			ages[key] = max(ages[key], s.Age)
		}
	}
	for key, age := range ages {
		e.gauge(setAge, age, key.tenant, key.set)
	}
	for state, n := range states {
		e.gauge(setSources, float64(n), state)
	}
}
