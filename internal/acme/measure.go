package acme

import (
	"time"

	"gatehouse/internal/metrics"
)

// What orders end in, as metrics name it: a certificate, or whose business it
// is that there is none.
const (
	resultIssued  = "issued"
	resultRenewed = "renewed"
)

func resultOf(c cause) string { return "failed_" + c.String() }

// measure tells the metrics how it stands. The lock is held.
func (m *Manager) measure(now time.Time) {
	if m.o.Metrics == nil {
		return
	}
	s := metrics.ACMESnapshot{
		Hosts:   make(map[string]int),
		Tenants: make(map[string]metrics.ACMETenant),
		Budgets: make(map[string]metrics.ACMEBudget),
	}
	if m.settings != nil || len(m.hosts) > 0 {
		for _, state := range States() {
			s.Hosts[string(state)] = 0
		}
	}
	for _, e := range m.hosts {
		if !e.wanted {
			continue
		}
		s.Hosts[string(e.state(m.settings, now))]++
		if e.held != nil {
			m.measureHeld(&s, e, now)
		}
	}
	if m.settings != nil {
		for _, ca := range m.settings.authorities {
			b := m.budget.status(ca.ID, now.UnixNano())
			until, _ := m.outages.down(ca, Host{}, now)
			s.Budgets[ca.Name] = metrics.ACMEBudget{Left: b.Left, Of: b.Of, Down: !until.IsZero()}
		}
	}
	m.o.Metrics.Stand(s)
}

// measureHeld counts a certificate in. A domain that no longer leads here is
// left out of what alarms: nobody can renew it, and its owner was told.
func (m *Manager) measureHeld(s *metrics.ACMESnapshot, e *entry, now time.Time) {
	needs := e.needs(m.settings, now)
	if needs && e.check.parked() == StateParked {
		return
	}
	if needs && e.held.due(now) {
		s.Lag = max(s.Lag, now.Sub(e.held.renewal.at))
	}
	left := m.attemptsLeft(e, time.Time{}, now)
	t, known := s.Tenants[e.Tenant]
	if !known || e.held.notAfter.Before(t.NotAfter) {
		t.NotAfter = e.held.notAfter
	}
	if !known || left < t.Attempts {
		t.Attempts = left
	}
	s.Tenants[e.Tenant] = t
}
