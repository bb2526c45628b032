package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Lever is what an operator can do at once, whatever the files say.
type Lever string

// The levers.
const (
	Block          Lever = "block" // a network, for a while
	Unblock        Lever = "unblock"
	Suspend        Lever = "suspend" // a tenant
	Resume         Lever = "resume"
	MaintenanceOn  Lever = "maintenance on" // of a tenant
	MaintenanceOff Lever = "maintenance off"
)

// Levers are what operators can order at once.
type Levers struct {
	// Pull puts an order into force within a second and has it kept. Its error
	// says why nothing happened.
	Pull func(ctx context.Context, o LeverOrder, actor string) (LeverDone, error)
	// List returns what is in force.
	List func() []LeverStatus
	// Progress says how many requests are in progress where something is
	// drained: of is TENANT or TENANT/BACKEND. It counts none of what there is not.
	Progress func(of string) DrainProgress
}

// LeverOrder is an order.
type LeverOrder struct {
	Lever Lever  `json:"lever"`
	Of    string `json:"of"`            // a network, a tenant's id, or a tenant's backend
	For   string `json:"for,omitempty"` // like "24h"; empty: until it is taken back
	Why   string `json:"why,omitempty"`
}

// LeverDone is what became of an order.
type LeverDone struct {
	Order      LeverOrder `json:"order"`
	Until      time.Time  `json:"until,omitzero"`
	Generation uint64     `json:"generation"` // of the table that has it in force
	// NotKept says why a restart would forget it; empty: it would not.
	NotKept string `json:"not_kept,omitempty"`
	// Notes say what the order has left behind that its giver may not want.
	Notes []string `json:"notes,omitempty"`
	// InFlight are the requests in progress of what is drained.
	InFlight int `json:"in_flight,omitempty"`
}

// LeverStatus is an order in force.
type LeverStatus struct {
	Lever Lever     `json:"lever"` // Block, Suspend, MaintenanceOn or Drain
	Of    string    `json:"of"`
	By    string    `json:"by"`
	At    time.Time `json:"at"`
	Why   string    `json:"why,omitempty"`
	Until time.Time `json:"until,omitzero"` // zero: until it is taken back
}

func (s *Server) pull(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	done, err := s.house.Levers.Pull(r.Context(), LeverOrder{
		Lever: Lever(q.Get("lever")), Of: q.Get("of"), For: q.Get("for"), Why: q.Get("why"),
	}, r.RemoteAddr)
	answer(w, done, err)
}

// Pull orders something and waits until it is in force.
func (c *Client) Pull(ctx context.Context, o LeverOrder) (LeverDone, error) {
	var done LeverDone
	values := url.Values{"lever": {string(o.Lever)}, "of": {o.Of}, "for": {o.For}, "why": {o.Why}}
	err := c.call(ctx, http.MethodPost, "/v1/levers", values, &done)
	return done, err
}

// Levers asks what is ordered.
func (c *Client) Levers(ctx context.Context) ([]LeverStatus, error) {
	var list []LeverStatus
	err := c.call(ctx, http.MethodGet, "/v1/levers", nil, &list)
	return list, err
}
