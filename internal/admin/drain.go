package admin

import (
	"context"
	"net/http"
	"net/url"
)

// The levers that take a tenant, or a backend of it, out of rotation. Of is
// TENANT or TENANT/BACKEND.
const (
	Drain   Lever = "drain"
	Undrain Lever = "undrain"
)

// DrainProgress is how far a drain is.
type DrainProgress struct {
	Of       string `json:"of"`
	InFlight int    `json:"in_flight"` // requests in progress, open WebSockets included
}

func (s *Server) drainProgress(w http.ResponseWriter, r *http.Request) {
	answer(w, s.house.Levers.Progress(r.URL.Query().Get("of")), nil)
}

// DrainProgress asks how many requests are in progress where a drain waits for
// none.
func (c *Client) DrainProgress(ctx context.Context, of string) (DrainProgress, error) {
	var progress DrainProgress
	err := c.call(ctx, http.MethodGet, "/v1/drain", url.Values{"of": {of}}, &progress)
	return progress, err
}
