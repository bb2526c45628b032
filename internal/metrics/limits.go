package metrics

import "sync/atomic"

// Limit is a kind of limit that a tenant can be near.
type Limit uint8

// The kinds of limits.
const (
	LimitRequests   Limit = iota // how often requests may come
	LimitInFlight                // how many may be in progress
	LimitWebSockets              // how many WebSockets may be open
	LimitBandwidth               // how much may go to clients
)

// LimitNames are the values of the label limit, by Limit.
var LimitNames = [...]string{"requests", "in_flight", "websockets", "bandwidth"}

// limitUse is how near a tenant is to its limits.
type limitUse struct {
	// shares are in thousandths, and one more; 0 stands for no limit.
	shares [len(LimitNames)]atomic.Int64
	queued atomic.Int64
}

// LimitUsed notes how much of a limit is used, from 0 to 1: of the tenant's, a
// host's or a route's, whichever is nearest. Below 0 there is no such limit.
func (t *Tenant) LimitUsed(l Limit, share float64) {
	switch {
	case t == nil:
	case share < 0:
		t.limits.shares[l].Store(0)
	default:
		t.limits.shares[l].Store(int64(share*1000) + 1)
	}
}

// Queued notes how many requests wait for their turn.
func (t *Tenant) Queued(n int) {
	if t != nil {
		t.limits.queued.Store(int64(n))
	}
}

func (e emitter) limits(t *Tenant) {
	for l, name := range LimitNames {
		if share := t.limits.shares[l].Load(); share > 0 {
			e.gauge(tenantLimitUsed, float64(share-1)/1000, t.id, name)
		}
	}
	if t.limits.shares[LimitInFlight].Load() > 0 {
		e.gauge(tenantQueued, float64(t.limits.queued.Load()), t.id)
	}
}
