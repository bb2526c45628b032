package admin

import "time"

// SetStatus is one live source of a set and how it stands.
type SetStatus struct {
	Tenant   string    `json:"tenant,omitempty"` // whose set it is; empty: the main file's
	Set      string    `json:"set"`
	Source   string    `json:"source"`   // "dns vpn.acme.example"
	Position string    `json:"position"` // where it is named
	State    string    `json:"state"`    // "fresh", "failing", "past" (kept too long to admit) or "unknown"
	Entries  int       `json:"entries"`
	Good     time.Time `json:"good,omitzero"`    // its last good answer; zero: never
	Changed  time.Time `json:"changed,omitzero"` // when that was another than before
	Failing  time.Time `json:"failing,omitzero"` // since when it gives none
	Why      string    `json:"why,omitempty"`
}
