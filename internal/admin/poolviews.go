package admin

import "time"

// PoolStatus is interchangeable backends of a tenant.
type PoolStatus struct {
	Name     string          `json:"name,omitempty"` // that the operator gave it
	Route    string          `json:"route"`          // the first that has them
	Label    string          `json:"label"`          // pool:NAME, else the route; with canary or mirror behind it where it is one
	Balance  string          `json:"balance"`
	Sticky   string          `json:"sticky,omitempty"` // how clients are kept with a backend
	Breaker  string          `json:"circuit_breaker,omitempty"`
	Backends []BackendStatus `json:"backends"`
}

// BackendUp is the state of a backend that gets requests.
const BackendUp = "up"

// BackendStatus is one backend as it stands.
type BackendStatus struct {
	URL      string    `json:"url"`
	Address  string    `json:"address,omitempty"` // which of the addresses that the name in URL leads to
	State    string    `json:"state"`             // "up", "down" (its check fails), "ejected" (it failed requests), "unresolved" (its name leads nowhere), "drain" or "out" (written so)
	Why      string    `json:"why,omitempty"`
	Since    time.Time `json:"since,omitzero"` // zero for what is written
	InFlight int       `json:"in_flight"`
	Pending  int       `json:"pending,omitempty"` // of those, the ones whose answer has not begun; where that is bounded
	Weight   int       `json:"weight"`
	Backup   bool      `json:"backup,omitempty"`
}

// NameStatus is a name that backends are written by.
type NameStatus struct {
	Name      string    `json:"name"`
	Addresses []string  `json:"addresses"`            // those in use
	Unused    int       `json:"unused,omitempty"`     // how many more it has than are used
	Forbidden string    `json:"forbidden,omitempty"`  // one of those, where no backend may be
	Confirmed time.Time `json:"confirmed,omitzero"`   // when they were last what DNS said; zero for never
	Fault     string    `json:"fault,omitempty"`      // why it cannot be looked up
	Since     time.Time `json:"fault_since,omitzero"` // of Fault
}
