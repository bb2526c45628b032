package metrics

import (
	"sync/atomic"
	"time"
)

// reasonsMax bounds the table of reasons; product reasons number about thirty.
const reasonsMax = 48

// Tenant holds the counters of one tenant. All its methods may be called at the
// same time, take no lock and allocate nothing; a nil Tenant counts nothing.
type Tenant struct {
	id string

	classes         [len(classes)]atomic.Uint64
	refusals        [reasonsMax]atomic.Uint64
	bytesIn         atomic.Uint64
	bytesOut        atomic.Uint64
	inFlight        atomic.Int64
	connections     atomic.Int64
	durations       [len(durationBuckets) + 1]atomic.Uint64 // not cumulative; the last is +Inf
	durationNanos   atomic.Uint64
	connects        atomic.Uint64
	connectFailures atomic.Uint64
	retries         atomic.Uint64
	retriesRefused  atomic.Uint64
	revoked         atomic.Uint64
	backendsUp      atomic.Uint64 // transitions
	backendsDown    atomic.Uint64
	crowded         atomic.Uint64
	canary          canary
	mirrored        [len(MirrorResults)]atomic.Uint64
	limits          limitUse
	means           meansUse
	compression     compression
	pools           atomic.Pointer[func() []PoolBackends]
}

// Begin counts a request that has begun. Every Begin needs one End.
func (t *Tenant) Begin() {
	if t != nil {
		t.inFlight.Add(1)
	}
}

// End counts off a request that Begin counted.
func (t *Tenant) End() {
	if t != nil {
		t.inFlight.Add(-1)
	}
}

// Answered counts one finished request by the status that the client got, with
// the bytes of both bodies. A status outside 100 to 599 (499 is inside) counts
// in no class.
func (t *Tenant) Answered(status int, bytesIn, bytesOut int64) {
	if t == nil {
		return
	}
	if class := status / 100; class >= 1 && class < len(t.classes) {
		t.classes[class].Add(1)
	}
	if bytesIn > 0 {
		t.bytesIn.Add(uint64(bytesIn))
	}
	if bytesOut > 0 {
		t.bytesOut.Add(uint64(bytesOut))
	}
}

// Took adds one request's duration to the histogram.
func (t *Tenant) Took(d time.Duration) {
	if t == nil {
		return
	}
	d = max(d, 0)
	seconds := d.Seconds()
	bucket := 0
	for bucket < len(durationBuckets) && seconds > durationBuckets[bucket] {
		bucket++
	}
	t.durations[bucket].Add(1)
	t.durationNanos.Add(uint64(d))
}

// Refused counts one refusal; reason is an index of the table given to New, and
// one outside of it is not counted.
func (t *Tenant) Refused(reason uint8) {
	if t != nil && int(reason) < len(t.refusals) {
		t.refusals[reason].Add(1)
	}
}

// Connection adds to the number of open client connections: +1 or -1.
func (t *Tenant) Connection(delta int64) {
	if t != nil {
		t.connections.Add(delta)
	}
}

// BackendConnect counts one attempt to open a connection to a backend.
func (t *Tenant) BackendConnect(ok bool) {
	switch {
	case t == nil:
	case ok:
		t.connects.Add(1)
	default:
		t.connectFailures.Add(1)
	}
}

// BackendChanged counts one transition of a backend: it gets requests again, or
// none any more.
func (t *Tenant) BackendChanged(up bool) {
	switch {
	case t == nil:
	case up:
		t.backendsUp.Add(1)
	default:
		t.backendsDown.Add(1)
	}
}

// Crowded counts one request that a backend had no room for.
func (t *Tenant) Crowded() {
	if t != nil {
		t.crowded.Add(1)
	}
}

// Retry counts one request that is sent again.
func (t *Tenant) Retry() {
	if t != nil {
		t.retries.Add(1)
	}
}

// RetryRefused counts one request that is not sent again because the tenant has
// retried as much as it may.
func (t *Tenant) RetryRefused() {
	if t != nil {
		t.retriesRefused.Add(1)
	}
}

// Revoked counts one connection or request that a change of the table cut.
func (t *Tenant) Revoked() {
	if t != nil {
		t.revoked.Add(1)
	}
}
