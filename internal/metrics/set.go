package metrics

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapesMax bounds the scrapes that run at the same time: two monitoring
// servers and an operator's look.
const scrapesMax = 4

// scrapeTimeout is the time that one scrape may take; Prometheus itself gives
// up after ten seconds.
const scrapeTimeout = 10 * time.Second

// ReloadResult is the outcome of an attempt to apply a new table.
type ReloadResult uint8

// The results of a reload.
const (
	ReloadApplied   ReloadResult = iota // the new table is in use
	ReloadRefused                       // the main file is wrong, or the force rule holds
	ReloadUnchanged                     // nothing differs from the table in use
)

// ReloadResults are the values of the label result, by ReloadResult.
var ReloadResults = [...]string{"applied", "refused", "unchanged"}

// Set is all that the gateway counts, with a registry of its own. Its methods
// may be called at the same time; a nil Set counts nothing.
type Set struct {
	reasons  []string
	registry *prometheus.Registry

	logs          logs
	fieldsDropped atomic.Uint64
	panics        atomic.Uint64
	generation    atomic.Uint64
	quarantined   atomic.Int64
	reloads       [len(ReloadResults)]atomic.Uint64
	state         state
	levers        levers
	scarce        scarce
	lookups       lookups
	encoders      encoders

	acme ACME
	live LiveSets

	mu        sync.Mutex
	tenants   map[string]*Tenant
	listeners map[string]*Listener
	expiry    map[string]time.Time
}

// New returns an empty set. The reasons are the words of the label reason, by
// the numbers that Refused takes; the empty word stands for no reason.
func New(reasons ...string) *Set {
	s := &Set{
		reasons:   slices.Clone(reasons[:min(len(reasons), reasonsMax)]),
		registry:  prometheus.NewRegistry(),
		tenants:   make(map[string]*Tenant),
		listeners: make(map[string]*Listener),
		expiry:    make(map[string]time.Time),
	}
	s.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		(*collector)(s),
	)
	return s
}

// Handler answers a scrape.
func (s *Set) Handler() http.Handler {
	return promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: scrapesMax,
		Timeout:             scrapeTimeout,
	})
}

// Tenant returns the counters of a tenant of the table; they start at zero the
// first time, and again after RemoveTenant.
func (s *Set) Tenant(id string) *Tenant {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tenants[id]
	if t == nil {
		t = &Tenant{id: id}
		s.tenants[id] = t
	}
	return t
}

// RemoveTenant takes a tenant's series out of the scrapes. Who still holds its
// counters may go on counting: nobody sees it.
func (s *Set) RemoveTenant(id string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.tenants, id)
	delete(s.expiry, id)
}

// Listener returns the counters of a listener, named by its address as the main
// file writes it.
func (s *Set) Listener(name string) *Listener {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[name]
	if l == nil {
		l = &Listener{name: name}
		s.listeners[name] = l
	}
	return l
}

// FieldsDropped counts request fields that were removed because their name
// could pass for another one at a backend ("_", ".").
func (s *Set) FieldsDropped(fields int) {
	if s != nil && fields > 0 {
		s.fieldsDropped.Add(uint64(fields))
	}
}

// Panicked counts one request or connection that ended in a fault of ours.
func (s *Set) Panicked() {
	if s != nil {
		s.panics.Add(1)
	}
}

// Reloaded counts an attempt to apply a new table.
func (s *Set) Reloaded(result ReloadResult) {
	if s != nil && int(result) < len(s.reloads) {
		s.reloads[result].Add(1)
	}
}

// Applied notes the number of the table in use and how many of its tenants are
// quarantined.
func (s *Set) Applied(generation uint64, quarantined int) {
	if s != nil {
		s.generation.Store(generation)
		s.quarantined.Store(int64(quarantined))
	}
}

// CertificateExpiry replaces the expiry dates: for each tenant (empty for the
// main file's certificates) the end of its certificate that ends first.
func (s *Set) CertificateExpiry(notAfter map[string]time.Time) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expiry = maps.Clone(notAfter)
}
