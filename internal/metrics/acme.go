package metrics

import (
	"sync"
	"time"
)

// ACME counts what is done for certificates by ACME. Its methods may be called
// at the same time; a nil ACME counts nothing. Labels are tenants of the table,
// authorities of the main file, and words of fixed tables: never a host.
type ACME struct {
	mu       sync.Mutex
	orders   map[acmeOrder]uint64
	last     ACMESnapshot
	storeBad bool
}

type acmeOrder struct{ ca, result string }

// ACMESnapshot is how it stands with all certificates by ACME.
type ACMESnapshot struct {
	Hosts   map[string]int        // by state; the states have few words
	Lag     time.Duration         // of the renewal that is latest
	Tenants map[string]ACMETenant // those that hold certificates by ACME
	Budgets map[string]ACMEBudget // by authority
}

// ACMETenant is how it stands with the certificates of one tenant.
type ACMETenant struct {
	NotAfter time.Time // of the certificate that ends first
	Attempts int       // orders that can fail before one ends, at the least
}

// ACMEBudget is what may still be asked of one authority.
type ACMEBudget struct {
	Left int64
	Of   int64
	Down bool // nothing is ordered there for now
}

// ACME returns the counters of certificates by ACME.
func (s *Set) ACME() *ACME {
	if s == nil {
		return nil
	}
	return &s.acme
}

// Ordered counts an order that ended; result is a word of a fixed table.
func (a *ACME) Ordered(ca, result string) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.orders == nil {
		a.orders = make(map[acmeOrder]uint64)
	}
	a.orders[acmeOrder{ca, result}]++
}

// StoreWorks notes whether what is obtained can be stored.
func (a *ACME) StoreWorks(works bool) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.storeBad = !works
}

// Stand replaces how it stands. The maps are taken over.
func (a *ACME) Stand(now ACMESnapshot) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = now
}

// acme sends the samples of certificates by ACME, none while it is not used.
func (e emitter) acme(a *ACME) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for key, n := range a.orders {
		e.counter(acmeOrders, n, key.ca, key.result)
	}
	if len(a.last.Hosts) == 0 {
		return
	}
	for state, n := range a.last.Hosts {
		e.gauge(acmeHosts, float64(n), state)
	}
	e.gauge(acmeLag, a.last.Lag.Seconds())
	e.gauge(acmeStore, number(!a.storeBad))
	for ca, b := range a.last.Budgets {
		e.gauge(acmeBudgetLeft, float64(b.Left), ca)
		e.gauge(acmeBudgetOf, float64(b.Of), ca)
		e.gauge(acmeDown, number(b.Down), ca)
	}
	for tenant, t := range a.last.Tenants {
		e.gauge(acmeNotAfter, float64(t.NotAfter.Unix()), tenant)
		e.gauge(acmeAttempts, float64(t.Attempts), tenant)
	}
}
