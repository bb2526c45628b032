package admin

import "time"

// CertificateStatus is one certificate that is presented to clients, or a host
// that is to have one.
type CertificateStatus struct {
	Names  []string `json:"names"`
	Tenant string   `json:"tenant,omitempty"` // empty: may serve any tenant
	Source string   `json:"source"`           // "file PATH", "internal CA", or "acme"
	// State is one word of CertificateStates.
	State  string `json:"state"`
	Detail string `json:"detail,omitempty"` // the state in words
	Issuer string `json:"issuer,omitempty"` // who signed what is presented now; of ACME the authority as the main file names it

	Profile   string    `json:"profile,omitempty"`
	Serial    string    `json:"serial,omitempty"`
	NotBefore time.Time `json:"not_before,omitzero"`
	NotAfter  time.Time `json:"not_after,omitzero"` // zero: there is no certificate yet

	// Of ACME alone:

	RenewFrom    time.Time `json:"renew_from,omitzero"`
	RenewUntil   time.Time `json:"renew_until,omitzero"`
	NextTry      time.Time `json:"next_try,omitzero"`
	Estimated    time.Time `json:"estimated,omitzero"`      // when a queued host will have its certificate
	AttemptsLeft *int      `json:"attempts_left,omitempty"` // before the end, at the present budget
	Record       string    `json:"record,omitempty"`        // what the owner of the name must set
	LastError    string    `json:"last_error,omitempty"`    // in the authority's words
}

// CertificateStates are the words of CertificateStatus.State, the worst first.
func CertificateStates() []string {
	return []string{
		"expired", "failed", "parked", "pending-dns", "pending-caa", "expires-soon", "not-valid-yet", "queued", "issuing", "valid",
	}
}

// NeedsSomebody reports whether a certificate will not come right by itself.
func (c CertificateStatus) NeedsSomebody() bool {
	switch c.State {
	case "valid", "queued", "issuing":
		return false
	}
	return true
}

// CertificateSummary counts certificates by state and names those that need
// somebody.
type CertificateSummary struct {
	States map[string]int      `json:"states"`
	Needs  []CertificateStatus `json:"needs_somebody"` // the worst first
	More   int                 `json:"more,omitempty"` // that need somebody and are not listed
}

// AccountStatus is an account with an authority, without its key.
type AccountStatus struct {
	CA         string    `json:"ca"` // as the main file names it
	Directory  string    `json:"directory"`
	URL        string    `json:"url,omitempty"` // empty: not registered yet
	Email      string    `json:"email,omitempty"`
	Binding    string    `json:"binding,omitempty"` // key identifier of the external account (EAB)
	Terms      string    `json:"terms,omitempty"`
	Key        string    `json:"key,omitempty"` // SHA-256 of the public key
	Registered time.Time `json:"registered,omitzero"`
	Rolled     time.Time `json:"rolled,omitzero"`
	RollingTo  string    `json:"rolling_to,omitempty"` // a key whose roll-over was cut off
}

// BudgetStatus is what may still be ordered from one authority.
type BudgetStatus struct {
	CA     string    `json:"ca"`
	Left   int64     `json:"left"` // orders that may be placed at once
	Of     int64     `json:"of"`
	Per    string    `json:"per"`
	Next   time.Time `json:"next,omitzero"`       // when the next order may be placed
	Down   time.Time `json:"down_until,omitzero"` // nothing is ordered there before
	Why    string    `json:"why,omitempty"`
	Queued int       `json:"queued"` // hosts that wait for it
}

// PreflightReport is what a look at a host found that spends nothing.
type PreflightReport struct {
	Host       string          `json:"host"`
	Tenant     string          `json:"tenant,omitempty"`
	CA         string          `json:"ca"`
	Fine       bool            `json:"fine"`             // nothing stands against an order
	State      string          `json:"state,omitempty"`  // "pending-dns" or "pending-caa"
	Unsure     bool            `json:"unsure,omitempty"` // DNS or the authority did not answer: nothing is known
	Detail     string          `json:"detail,omitempty"`
	Record     string          `json:"record,omitempty"` // what the owner must set
	Challenges []string        `json:"challenges"`       // that can prove control
	Steps      []PreflightStep `json:"steps"`
}

// PreflightStep is one thing that was looked at.
type PreflightStep struct {
	Name    string   `json:"name"`
	Fine    bool     `json:"fine"`
	Text    string   `json:"text"`
	Records []string `json:"records,omitempty"` // what the owner must set
}
