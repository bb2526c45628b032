package admin

import "time"

// CanaryStatus is a canary of a tenant.
type CanaryStatus struct {
	Route    string    `json:"route"` // the first that has it
	To       string    `json:"to"`    // pool:NAME, or its backends
	Takes    string    `json:"takes"` // which requests, in words
	Requests uint64    `json:"requests"`
	Errors   uint64    `json:"errors"`
	AbortIf  string    `json:"abort_if,omitempty"`
	Aborted  time.Time `json:"aborted,omitzero"` // zero while it gets requests
	Why      string    `json:"why,omitempty"`
}
