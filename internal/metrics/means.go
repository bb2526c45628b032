package metrics

import "sync/atomic"

// Means is something that all tenants share and hold for long.
type Means uint8

// The means.
const (
	MeansMemory      Means = iota // bytes, by estimate
	MeansGoroutines               // of connections, streams and bodies
	MeansConnections              // of clients
	MeansBackendConnections
)

// MeansNames are the values of the label means, by Means.
var MeansNames = [...]string{"memory", "goroutines", "connections", "backend_connections"}

// meansUse is what a tenant holds of them, and how often it was refused more.
type meansUse struct {
	held atomic.Pointer[func() []int]
	shed [len(MeansNames)]atomic.Uint64
}

// Holds has each scrape ask how much of each of the means the tenant holds.
func (t *Tenant) Holds(ask func() []int) {
	if t != nil {
		t.means.held.Store(&ask)
	}
}

// Shed counts one connection or request that was refused because the tenant has
// its part.
func (t *Tenant) Shed(m Means) {
	if t != nil {
		t.means.shed[m].Add(1)
	}
}

// means sends what the tenant holds; a tenant at rest has no series.
func (e emitter) means(t *Tenant) {
	if ask := t.means.held.Load(); ask != nil {
		for m, n := range (*ask)() {
			if n > 0 {
				e.gauge(tenantMeans, float64(n), t.id, MeansNames[m])
			}
		}
	}
	for m := range MeansNames {
		e.moved(tenantShed, t.means.shed[m].Load(), t.id, MeansNames[m])
	}
}

// scarce is what all tenants share.
type scarce struct {
	waiting    atomic.Int64
	processors atomic.Bool // are scarce
	taken      [len(MeansNames)]atomic.Int64
	of         [len(MeansNames)]atomic.Int64
}

// Scarce notes how many turns of processors are waited for, and whether
// processors are scarce.
func (s *Set) Scarce(waiting int, scarce bool) {
	if s != nil {
		s.scarce.waiting.Store(int64(waiting))
		s.scarce.processors.Store(scarce)
	}
}

// MeansTaken notes how much of one of the means is taken, of how much.
func (s *Set) MeansTaken(m Means, taken, of int) {
	if s != nil {
		s.scarce.taken[m].Store(int64(taken))
		s.scarce.of[m].Store(int64(of))
	}
}

func (e emitter) scarce(s *scarce) {
	e.gauge(turnsWaiting, float64(s.waiting.Load()))
	scarce := 0.0
	if s.processors.Load() {
		scarce = 1
	}
	e.gauge(processorsScarce, scarce)
	for m, name := range MeansNames {
		e.gauge(meansTaken, float64(s.taken[m].Load()), name)
		e.gauge(meansOf, float64(s.of[m].Load()), name)
	}
}
