package acme

import "time"

// rate is how fast a bucket fills, and how much it holds.
type rate struct {
	count int64
	per   time.Duration
}

// bucket is a token bucket, kept as the instant at which it is full again
// (the generic cell rate algorithm): a full one needs no memory. What an
// authority itself said about it, by 429 and Retry-After, is kept beside.
type bucket struct {
	Full int64 `json:"f,omitempty"` // Unix time, ns; in the past: it is full
	Shut int64 `json:"s,omitempty"` // no token before this, ns
	Set  int64 `json:"t,omitempty"` // when one of them changed, ns
}

// interval is the time in which a bucket of this rate gains one token.
func interval(r rate) int64 { return int64(r.per) / max(r.count, 1) }

// heal mends what a clock that went back left behind: the waits are those that
// were meant, not those and a year.
func (b *bucket) heal(now int64) (changed bool) {
	back := b.Set - now
	if back <= 0 {
		return false
	}
	b.Full -= back
	b.Shut -= back
	b.Set = now
	return true
}

// next returns when the bucket has a token, now at the earliest. It can be
// asked about a later instant than the present one.
func (b bucket) next(r rate, now int64) int64 {
	if r.count <= 0 {
		return max(b.Full, b.Shut, now+int64(r.per))
	}
	return max(now, b.Shut, b.Full+interval(r)-int64(r.per))
}

// take takes a token at an instant at which next says there is one.
func (b *bucket) take(r rate, at int64) {
	b.Full = max(b.Full, at) + interval(r)
	b.Set = max(b.Set, at)
}

// giveBack returns a token that was not used.
func (b *bucket) giveBack(r rate) { b.Full -= interval(r) }

// shut empties the bucket until an instant.
func (b *bucket) shut(now, until int64) {
	if until > b.Shut {
		b.Shut, b.Set = until, now
	}
}

// left is how many tokens there are.
func (b bucket) left(r rate, now int64) int64 {
	if b.Shut > now || r.count <= 0 {
		return 0
	}
	missing := max(b.Full-now, 0)
	return max((int64(r.per)-missing)/max(interval(r), 1), 0)
}

// until is how many tokens can be taken from now on before an instant.
func (b bucket) until(r rate, now, end int64) int64 {
	if r.count <= 0 {
		return 0
	}
	now = max(now, b.Shut)
	if end <= now {
		return 0
	}
	return max((end-1-max(b.Full, now)+int64(r.per))/max(interval(r), 1), 0)
}

// idle reports whether the bucket is like one that was never used.
func (b bucket) idle(now int64) bool { return b.Full <= now && b.Shut <= now }

// instant converts what buckets count in.
func instant(ns int64) time.Time { return time.Unix(0, ns) }
