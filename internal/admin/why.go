package admin

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Why is what is remembered of a request that has been made, and what decided
// about it.
type Why struct {
	Ref      string    `json:"ref"`
	At       time.Time `json:"at"` // when its head was complete
	Client   string    `json:"client,omitempty"`
	Method   string    `json:"method,omitempty"`
	URL      string    `json:"url,omitempty"` // without its query, which is not remembered; empty where its head was refused
	PathCut  bool      `json:"path_cut,omitempty"`
	Protocol string    `json:"protocol"`
	Listener string    `json:"listener"`
	Tenant   string    `json:"tenant,omitempty"`

	Verdict string `json:"verdict"`          // "forward", "redirect" or "refuse REASON"
	Status  int    `json:"status,omitempty"` // that the client got; 0 for none
	Cut     bool   `json:"cut,omitempty"`    // a backend's answer had begun, and was cut
	// Steps are the gates, as the table of now judges the request for the time at
	// which it came, and then what happened to it.
	Steps []Step `json:"steps"`
	// Generation is of the table that judged it, GenerationNow of the present one;
	// VerdictNow is the latter's where it judges otherwise.
	Generation    uint64 `json:"generation,omitempty"`
	GenerationNow uint64 `json:"generation_now"`
	VerdictNow    string `json:"verdict_now,omitempty"`

	TookMillis    float64      `json:"took_ms"`
	QueuedMillis  float64      `json:"queued_ms,omitempty"`
	ConnectMillis float64      `json:"connect_ms,omitempty"`
	BytesIn       int64        `json:"bytes_in"`
	BytesOut      int64        `json:"bytes_out"`
	Backends      []BackendTry `json:"backends,omitempty"`
}

// BackendTry is one connection to a backend that a request used or tried to
// open.
type BackendTry struct {
	Backend    string  `json:"backend"`
	Outcome    string  `json:"outcome"` // in words, of the backend
	TookMillis float64 `json:"took_ms"` // until the head of the answer, or until it failed
}

func (s *Server) why(w http.ResponseWriter, r *http.Request) {
	why, err := s.house.Why(r.URL.Query().Get("ref"))
	if err != nil {
		answerProblem(w, http.StatusNotFound, err)
		return
	}
	answerJSON(w, http.StatusOK, why)
}

// Why asks what became of the request with a ref.
func (c *Client) Why(ctx context.Context, ref string) (Why, error) {
	var why Why
	err := c.call(ctx, http.MethodGet, "/v1/why", url.Values{"ref": {ref}}, &why)
	return why, err
}
