package acme

import "time"

const (
	// renewSlack is the part of the lifetime over which certificates without a
	// window of their authority are renewed: a twelfth, so that a fleet that
	// was issued in an hour is not renewed in one. Of 90 days it is a week.
	renewSlack = 12

	// renewGap is the shortest time between two orders of a host that both
	// succeed. It ends the loop of a window that is always in the past, and of
	// a clock that is ahead.
	renewGap = time.Hour

	// windowFailed is when an authority that did not answer is asked again for
	// a window (RFC 9773 section 4.3.3).
	windowFailed = 6 * time.Hour
)

// renewal is when a certificate is to be replaced: at an instant between from
// and until.
type renewal struct{ from, until, at time.Time }

// setWindow notes what the authority suggests.
func (h *held) setWindow(w ariWindow) {
	h.window = w
	h.renewal = h.plan()
}

// plan returns what the authority suggests (RFC 9773), else an instant after
// two thirds of the lifetime.
func (h *held) plan() renewal {
	life := h.lifetime()
	last := h.notAfter.Add(-life / renewSlack)
	if w := h.window; !w.Chosen.IsZero() && w.Start.Before(h.notAfter) {
		r := renewal{w.Start, w.End, w.Chosen}
		if r.at.After(last) {
			r.at = last // an order must have time to fail
		}
		return r
	}
	from := h.notBefore.Add(life / 3 * 2)
	slack := life / renewSlack
	at := from.Add(time.Duration(float64(slack) * float64(h.dice) / (1 << 32)))
	return renewal{from, from.Add(slack), at}
}

// due reports whether it is time to replace the certificate.
func (h *held) due(now time.Time) bool {
	if h.early(now) {
		return false // the clock is wrong; another certificate does not mend it
	}
	return !now.Before(h.renewal.at) && !h.fresh(now)
}

// fresh reports whether the certificate was obtained just now, whatever its
// dates and windows say.
func (h *held) fresh(now time.Time) bool {
	age := now.Sub(h.obtained)
	return age >= 0 && age < min(renewGap, h.lifetime()/6)
}

// invited reports whether the authority asks for the renewal now.
func (h *held) invited(now time.Time) bool {
	return !h.window.Chosen.IsZero() && !now.Before(h.window.Start)
}

// windowDue reports whether to ask for the window. A clock that went back does
// not make it wait longer than it would have.
func (h *held) windowDue(now time.Time) bool {
	if h.caID == "" {
		return false // nobody knows whom to ask about an imported one
	}
	again := h.window.Again
	return !again.After(now) || again.Sub(now) > windowAgainMost
}

// stapleDue reports whether to ask for an OCSP answer.
func (h *held) stapleDue(now time.Time) bool {
	return !h.stapleAgain.IsZero() && (!h.stapleAgain.After(now) || h.stapleAgain.Sub(now) > h.lifetime())
}

// quietUntil is when the next of all this can become due, for a host that
// needs nothing now.
func (e *entry) quietUntil(now time.Time) int64 {
	h := e.held
	switch {
	case h == nil || h.early(now):
		return 0
	case !e.wanted:
		return h.notAfter.Add(sweepAfter).UnixNano()
	}
	next := min(h.renewal.at.UnixNano(), h.notAfter.UnixNano())
	if h.caID != "" {
		next = min(next, h.window.Again.UnixNano())
	}
	if !h.stapleAgain.IsZero() {
		next = min(next, h.stapleAgain.UnixNano())
	}
	return next
}
