package proxy

import (
	"errors"
	"net/netip"
	"syscall"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/pool"
)

// triesMax is how many connections to backends a request can use: one for each
// of three attempts, and one more where an idle one had died.
const triesMax = 4

// tries are the connections to backends that an exchange has used or tried to
// open, in their order.
type tries struct {
	at   time.Time // when the next began
	n    int
	list [triesMax]try
}

// try is one of them.
type try struct {
	backend string
	address netip.Addr // which of the addresses of its name
	took    time.Duration
	end     tryEnd
	number  syscall.Errno // of tryUnreached; 0 where the system has said nothing
}

// tryEnd is how a try has ended.
type tryEnd uint8

const (
	tryAnswered  tryEnd = iota
	tryUnreached        // no connection
	tryNoTime           // no connection in time
	tryNoTLS            // no TLS connection, or not to whom it should be
	tryForbidden        // its address may not be dialled
	tryStale            // an idle connection had died
	tryClosed           // it ended the connection without an answer
	tryMalformed        // its answer was refused
	tryLate             // no answer in time
	tryLeft             // the request was ended meanwhile: by its client, by a change of the table, by us
	tryEnds
)

// tryWords say how a try has ended, of the backend.
var tryWords = [tryEnds]string{
	tryAnswered:  "answered",
	tryUnreached: "was not reached",
	tryNoTime:    "was not reached in time",
	tryNoTLS:     "made no TLS connection that could be verified",
	tryForbidden: "has an address that may not be dialled",
	tryStale:     "had closed the idle connection",
	tryClosed:    "closed the connection without an answer",
	tryMalformed: "sent an answer that was refused",
	tryLate:      "did not answer in time",
	tryLeft:      "had not answered yet when the request was ended",
}

// tried notes how the connection to the present backend has ended, or answered.
func (ex *exchange) tried(end tryEnd, number syscall.Errno, now time.Time) {
	t := &ex.tries
	if t.n < len(t.list) {
		t.list[t.n] = try{ex.backend, ex.address, now.Sub(t.at), end, number}
		t.n++
	}
	t.at = now
}

// dialEnd is how a connection that could not be opened has ended.
func dialEnd(err error) (end tryEnd, number syscall.Errno) {
	var failed *pool.DialError
	var forbidden *pool.ForbiddenError
	switch {
	case errors.As(err, &forbidden):
		return tryForbidden, 0
	case errors.As(err, &number):
		return tryUnreached, number
	case timedOut(err):
		return tryNoTime, 0
	case errors.As(err, &failed) && failed.TLS:
		return tryNoTLS, 0
	}
	return tryUnreached, 0
}

// lostEnd is how a connection without an answer has ended.
func (t *trip) lostEnd(err error, late bool) tryEnd {
	_, malformed := err.(*http1.Error)
	switch {
	case t.ex.watch.cut(), t.ex.watch.aborted(), t.up != nil && t.up.clientErr != nil, err == errNoMemory:
		return tryLeft
	case malformed:
		return tryMalformed
	case late:
		return tryLate
	case !t.fresh && !t.spoke:
		return tryStale
	}
	return tryClosed
}
