package acme

import (
	"context"
	"slices"
	"strings"
	"time"
)

// HostStatus is how it stands with one host. Instants that do not apply are
// zero.
type HostStatus struct {
	Host         string    `json:"host"`
	Tenant       string    `json:"tenant"`
	State        State     `json:"state"`
	Detail       string    `json:"detail,omitempty"` // in words
	Record       string    `json:"record,omitempty"` // what the owner of the name must set
	CA           string    `json:"ca,omitempty"`     // of the certificate held
	Profile      string    `json:"profile,omitempty"`
	Serial       string    `json:"serial,omitempty"` // hexadecimal
	NotBefore    time.Time `json:"not_before,omitzero"`
	NotAfter     time.Time `json:"not_after,omitzero"`
	RenewFrom    time.Time `json:"renew_from,omitzero"`
	RenewUntil   time.Time `json:"renew_until,omitzero"`
	RenewAt      time.Time `json:"renew_at,omitzero"` // chosen between them
	NextTry      time.Time `json:"next_try,omitzero"` // of an order, or of a look at DNS
	ETA          time.Time `json:"eta,omitzero"`      // when its order begins, at the present budget
	AttemptsLeft int       `json:"attempts_left"`     // orders that can fail before NotAfter; 99 stands for more
	Failures     int       `json:"failures,omitempty"`
	LastError    string    `json:"last_error,omitempty"` // the authority's words
	Because      string    `json:"because,omitempty"`    // why the certificate is not from the first authority
}

// BudgetStatus is what may still be asked of one authority.
type BudgetStatus struct {
	CA     string    `json:"ca"`
	Left   int64     `json:"left"`                // orders that may be placed at once
	Of     int64     `json:"of"`                  // when nothing was ordered for long
	Per    string    `json:"per"`                 // in which it fills
	Next   time.Time `json:"next"`                // when the next order may be placed
	Down   time.Time `json:"down_until,omitzero"` // nothing is ordered there before
	Why    string    `json:"why,omitempty"`
	Queued int       `json:"queued"` // hosts that wait for it
}

// Hosts returns all wanted hosts, sorted by name.
func (m *Manager) Hosts() []HostStatus {
	m.mu.Lock()
	now := m.o.Now()
	m.estimate(now)
	out := make([]HostStatus, 0, len(m.hosts))
	for _, e := range m.hosts {
		if e.wanted {
			out = append(out, m.status(e, e.takeETA(), now))
		}
	}
	m.mu.Unlock()
	slices.SortFunc(out, func(a, b HostStatus) int { return strings.Compare(a.Host, b.Host) })
	return out
}

// takeETA returns the estimate, once: it is soon out of date.
func (e *entry) takeETA() time.Time {
	if e.eta == 0 {
		return time.Time{}
	}
	at := instant(e.eta)
	e.eta = 0
	return at
}

// Host returns how it stands with one host; false where nobody wants it. Its
// ETA is not estimated.
func (m *Manager) Host(name string) (HostStatus, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.hosts[name]
	if e == nil || !e.wanted {
		return HostStatus{}, false
	}
	return m.status(e, time.Time{}, m.o.Now()), true
}

func (m *Manager) status(e *entry, eta, now time.Time) HostStatus {
	s := HostStatus{Host: e.Name, Tenant: e.Tenant, State: e.state(m.settings, now), ETA: eta, Profile: e.Profile}
	if h := e.held; h != nil {
		r := h.renewal
		s.CA, s.Profile, s.Serial, s.Because = h.ca, h.profile, h.serial, h.because
		s.NotBefore, s.NotAfter = h.notBefore, h.notAfter
		s.RenewFrom, s.RenewUntil, s.RenewAt = r.from, r.until, r.at
		s.AttemptsLeft = m.attemptsLeft(e, eta, now)
	}
	if t := e.trouble; t != nil {
		s.LastError, s.Failures = t.words, t.fails
		if next := t.ready(now); next.After(now) {
			s.NextTry = next
		}
	}
	if c := e.check; c.parked() != "" || e.doubtful(now) {
		s.Record = c.record
		s.NextTry = latest(s.NextTry, c.again.next)
	}
	s.Detail = m.detail(e, s, now)
	return s
}

// detail says in words what the state alone does not.
func (m *Manager) detail(e *entry, s HostStatus, now time.Time) string {
	needs := e.needs(m.settings, now)
	switch {
	case e.held != nil && e.held.early(now):
		return "the certificate is not good yet by the clock of this machine; is it right?"
	case m.settings == nil:
		return "nothing is ordered: the main file says nothing of acme"
	case needs && e.check.parked() != "":
		return e.check.detail + m.lostWords(e)
	case needs && m.work.disk.full():
		return "the state cannot be written, nothing is ordered until it can: " + m.work.disk.words
	case !needs || s.State == StateIssuing:
		return ""
	case e.revoked:
		return "the certificate held is revoked"
	case s.State == StateFailed:
		return ""
	case e.doubtful(now):
		return "DNS cannot be asked: " + e.check.detail
	}
	return m.waitsFor(e, now)
}

func (m *Manager) lostWords(e *entry) string {
	if !e.check.lost {
		return ""
	}
	return "; it no longer leads here, and is not renewed until it does"
}

// waitsFor says what a host of the queue waits for.
func (m *Manager) waitsFor(e *entry, now time.Time) string {
	at, why, down := m.choose(e, now)
	if down {
		return "no authority works: " + why
	}
	if e.listed || e.stop != nil {
		return "DNS is looked at"
	}
	t, empty := m.budget.next(e.purchase(at.ca, now), now.UnixNano())
	if t <= now.UnixNano() {
		return ""
	}
	return "the budget of " + map[scope]string{
		scopeAccount: "the account with " + at.ca.Name, scopeDomain: "the registered domain " + e.domain,
		scopeHost: "this name", scopeFailures: "failed validations of this name",
	}[empty] + " is used up"
}

// Budgets returns the budget of each authority, in the order of the settings.
func (m *Manager) Budgets() []BudgetStatus {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.settings == nil {
		return nil
	}
	now := m.o.Now()
	var out []BudgetStatus
	for _, ca := range m.settings.authorities {
		s := m.budget.status(ca.ID, now.UnixNano())
		s.CA = ca.Name
		if until, why := m.outages.down(ca, Host{}, now); !until.IsZero() {
			s.Down, s.Why = until, why
		}
		for _, l := range m.queue.lanes {
			if l.ca.ID == ca.ID {
				s.Queued += len(l.hosts)
			}
		}
		out = append(out, s)
	}
	return out
}

func (b *budget) status(account string, now int64) BudgetStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.rate(scopeAccount)
	one := b.get(purchase{account: account}, scopeAccount, now)
	return BudgetStatus{
		Left: one.left(r, now), Of: r.count, Per: b.limits.Orders.Per.String(),
		Next: instant(one.next(r, now)),
	}
}

// Accounts lists the accounts with the authorities of the settings. It reads
// the store and asks nobody.
func (m *Manager) Accounts(ctx context.Context) ([]AccountStatus, error) {
	if m.current() == nil {
		return nil, nil
	}
	return m.engine.accounts(ctx)
}

// current returns the settings in use.
func (m *Manager) current() *Settings {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settings
}
