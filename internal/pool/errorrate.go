package pool

import (
	"sync"
	"time"
)

// rateSlices is into how many parts the time of an ErrorRate is cut.
const rateSlices = 10

// ErrorRate counts requests and errors of the last so much time, exact to a tenth
// of it. The zero ErrorRate has counted nothing. All methods may be called at the
// same time.
type ErrorRate struct {
	mu     sync.Mutex
	slices [rateSlices]rateSlice
}

type rateSlice struct{ at, requests, errors int64 }

// Add counts, and returns the sums of within, which is not zero.
func (e *ErrorRate) Add(now int64, within time.Duration, requests, errors int64) (allRequests, allErrors int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := now / int64(within/rateSlices)
	current := &e.slices[at%rateSlices]
	if current.at != at {
		*current = rateSlice{at: at}
	}
	current.requests += requests
	current.errors += errors
	for i := range e.slices {
		// What was counted over another time, or later, is not of this one.
		if s := &e.slices[i]; s.at <= at && at-s.at < rateSlices {
			allRequests += s.requests
			allErrors += s.errors
		}
	}
	return allRequests, allErrors
}

// Reset forgets what was counted.
func (e *ErrorRate) Reset() {
	e.mu.Lock()
	e.slices = [rateSlices]rateSlice{}
	e.mu.Unlock()
}
