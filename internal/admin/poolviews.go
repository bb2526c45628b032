package admin

import "time"

// PoolStatus is interchangeable backends of a tenant.
type PoolStatus struct {
	Name     string          `json:"name,omitempty"` // that the operator gave it
	Route    string          `json:"route"`          // the first that has them
	Balance  string          `json:"balance"`
	Backends []BackendStatus `json:"backends"`
}

// BackendUp is the state of a backend that gets requests.
const BackendUp = "up"

// BackendStatus is one backend as it stands.
type BackendStatus struct {
	URL      string    `json:"url"`
	State    string    `json:"state"` // "up", "down" (its check fails), "ejected" (it failed requests), "drain" or "out" (written so)
	Why      string    `json:"why,omitempty"`
	Since    time.Time `json:"since,omitzero"` // zero for what is written
	InFlight int       `json:"in_flight"`
	Weight   int       `json:"weight"`
	Backup   bool      `json:"backup,omitempty"`
}
