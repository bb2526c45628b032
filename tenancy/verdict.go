package tenancy

// Action is what a verdict orders.
type Action uint8

// The actions. The zero Action refuses.
const (
	Refuse   Action = iota
	Forward         // go on: to the next door, and after Request to the backends of Route
	Redirect        // answer with another address: Table.AppendRedirect builds it
)

// String returns the word that expect cases use.
func (a Action) String() string {
	switch a {
	case Forward:
		return "forward"
	case Redirect:
		return "redirect"
	}
	return "refuse"
}

// Verdict is what a door says. It is a small value and refers to nothing that
// belongs to the question.
type Verdict struct {
	Action Action
	Reason Reason // of a refusal
	// Status is the HTTP status of the answer to a refusal, and 0 where none is
	// given: the connection is closed or the handshake refused. It may differ
	// from Reason.Status, because refuse_with decides about ip_not_allowed.
	Status int
	// Tenant is who was asked for. In a refusal it is for logs and metrics
	// alone: the answer depends on Status and on nothing else.
	Tenant *Tenant
	Host   *Host
	// Route is where Forward leads; maintenance and draining name it, too, since
	// what they refuse anew goes on where it is open.
	Route *Route
	// Until is the Unix second at which what refuses ends; 0 where nobody knows.
	Until int64
	// Page is what the answer shows in place of our own page; nil for that.
	Page *Page
}

// String returns "forward", "redirect", or "refuse" and the reason.
func (v Verdict) String() string {
	if v.Action == Refuse {
		return "refuse " + v.Reason.String()
	}
	return v.Action.String()
}

// The statuses that verdicts carry (RFC 9110 section 15).
const (
	statusBadRequest       = 400
	statusUnauthorized     = 401
	statusForbidden        = 403
	statusNotFound         = 404
	statusMethodNotAllowed = 405
	statusRequestTimeout   = 408
	statusTooLarge         = 413
	statusMisdirected      = 421
	statusTooManyRequests  = 429
	// statusClientGone is what logs show for a client that left before its
	// answer; nobody receives it. nginx made the number known.
	statusClientGone     = 499
	statusInternal       = 500
	statusBadGateway     = 502
	statusUnavailable    = 503
	statusGatewayTimeout = 504
)

// refused returns a refusal answered as reasons usually are.
func refused(reason Reason) Verdict {
	return Verdict{Reason: reason, Status: reason.Status()}
}
