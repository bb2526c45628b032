package admin

import "time"

// Status is what `gatehouse status` shows.
type Status struct {
	Version      string             `json:"version"`
	Started      time.Time          `json:"started"`
	Ready        bool               `json:"ready"`
	NotReady     string             `json:"not_ready,omitempty"` // why it is not ready, in words
	Generation   uint64             `json:"generation"`
	Config       string             `json:"config"`
	Keys         string             `json:"keys"` // "sealed" or "not protected"
	Listeners    []ListenerStatus   `json:"listeners"`
	Tenants      []TenantStatus     `json:"tenants"`
	Means        []MeansStatus      `json:"means"`           // what all tenants share and hold for long
	Names        []NameStatus       `json:"names,omitempty"` // that backends are written by
	Certificates CertificateSummary `json:"certificates"`
	Quarantined  []Quarantine       `json:"quarantined"`
	Levers       []LeverStatus      `json:"levers"` // what operators have ordered
	Sets         []SetStatus        `json:"sets"`   // live sources
	LastReload   *ReloadResult      `json:"last_reload,omitempty"`
	Notes        []string           `json:"notes"` // what waits for a restart, and the like
}

// ListenerStatus is an address that connections are accepted on.
type ListenerStatus struct {
	Address  string `json:"address"`
	Kind     string `json:"kind"`      // "http" or "https"
	ClientIP string `json:"client_ip"` // "direct", "proxy_protocol" or "x_forwarded_for"
	// Limits are what one client address may have of it. Connections count
	// together for all listeners.
	Limits []LimitStatus `json:"limits,omitempty"`
}

// TenantStatus is one tenant as it runs.
type TenantStatus struct {
	ID   string `json:"id"`
	File string `json:"file"`
	// State is "served", "not served", or what it is instead of served: those of
	// "quarantined", "suspended", "in maintenance", "partly in maintenance" (some
	// routes) and "drained" that it is, with ", " between.
	State       string       `json:"state"`
	Hosts       []string     `json:"hosts"`
	Backends    []string     `json:"backends"`
	Connections int          `json:"connections"`
	InFlight    int          `json:"in_flight"`
	Pools       []PoolStatus `json:"pools,omitempty"`
	// Canaries are those of its routes.
	Canaries []CanaryStatus `json:"canaries,omitempty"`
	// Means are what it holds of what all tenants share; none at rest.
	Means []PartStatus `json:"means,omitempty"`
	// Limits are those that are written of how many requests there may be, how
	// long bodies may be, and its retries while there are any: the tenant's own,
	// those of hosts, those of routes by their paths.
	Limits []LimitStatus `json:"limits,omitempty"`
}

// LimitStatus is one limit of a tenant, or of a host or route of it, and how
// near it is.
type LimitStatus struct {
	Level string   `json:"level"` // `tenant "acme"`, `route "/reports/"`
	Limit string   `json:"limit"` // the key below limits, or "retries"
	Is    string   `json:"is"`
	Used  *float64 `json:"used,omitempty"` // from 0 to 1; nil of what each request is held to alone
	Now   string   `json:"now,omitempty"`
}

// MeansStatus is how much is taken of something that all tenants share.
type MeansStatus struct {
	Means string `json:"means"` // "memory" (bytes, by estimate), "goroutines", "connections" or "backend_connections"
	Taken int    `json:"taken"`
	Of    int    `json:"of"`
}

// PartStatus is what a tenant holds of it.
type PartStatus struct {
	Means string  `json:"means"`
	Held  int     `json:"held"`
	Part  int     `json:"part"` // what it could have while others keep what they have
	Used  float64 `json:"used"` // of its part; at 1 it gets no more
}

// Quarantine is a tenant whose file is refused.
type Quarantine struct {
	Tenant   string    `json:"tenant"`
	File     string    `json:"file"`
	Served   bool      `json:"served"` // on its last good text
	Findings []Finding `json:"findings"`
}

// ReloadResult says what a reload did.
type ReloadResult struct {
	At          time.Time    `json:"at"`
	Actor       string       `json:"actor"`     // who asked: "uid 0", "SIGHUP", "file change"
	Applied     bool         `json:"applied"`   // false: the table runs on as it was
	Unchanged   bool         `json:"unchanged"` // there was nothing to apply
	Refused     string       `json:"refused,omitempty"`
	Generation  uint64       `json:"generation"` // in use when it was over
	Added       []string     `json:"added"`
	Changed     []string     `json:"changed"`
	Removed     []string     `json:"removed"`
	Quarantined []Quarantine `json:"quarantined"`
	Findings    []Finding    `json:"findings"`
	Notes       []string     `json:"notes"`
	TookMillis  float64      `json:"took_ms"`
}

// Fine reports whether a reload left nothing that an operator must look at.
func (r ReloadResult) Fine() bool { return r.Applied && len(r.Quarantined) == 0 }

// ExplainQuery is a request that may never have happened.
type ExplainQuery struct {
	URL    string
	From   string // the client's address
	SNI    string // empty: the URL's host
	Method string // empty: GET
	User   string // who asks, with the right password; empty: nobody
}

// Explanation is the verdict on an [ExplainQuery], gate by gate.
type Explanation struct {
	Verdict  string   `json:"verdict"` // "forward", "redirect" or "refuse REASON"
	Reason   string   `json:"reason,omitempty"`
	Status   int      `json:"status,omitempty"` // 0: the connection is closed or the handshake refused
	Tenant   string   `json:"tenant,omitempty"`
	Host     string   `json:"host,omitempty"`
	Route    string   `json:"route,omitempty"`
	Backends []string `json:"backends,omitempty"`
	Location string   `json:"location,omitempty"`
	Steps    []Step   `json:"steps"`
}

// Step is what one gate said, and the place in a file that decided.
type Step struct {
	Gate     string `json:"gate"`
	Outcome  string `json:"outcome"`
	Text     string `json:"text,omitempty"`
	Position string `json:"position,omitempty"`
}
