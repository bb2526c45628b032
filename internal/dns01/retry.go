package dns01

import (
	"context"
	"errors"
	"time"
)

const (
	// attemptsMost is how often a call is made that fails in a passing way.
	attemptsMost = 3

	// retryPause is waited before the second attempt, twice as long before the
	// third.
	retryPause = time.Second

	// retryAfterMax bounds what a server may make us wait.
	retryAfterMax = 15 * time.Second
)

// passing is a failure that another attempt may not meet.
type passing struct {
	error
	after time.Duration // what the server asks for; 0: nothing
}

// Unwrap returns the failure itself.
func (p *passing) Unwrap() error { return p.error }

// retry calls do until it succeeds, fails for good, or has failed often enough.
func retry(ctx context.Context, pause time.Duration, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		again, ok := errors.AsType[*passing](err)
		if !ok || attempt == attemptsMost {
			return err
		}
		wait := time.NewTimer(max(pause, min(again.after, retryAfterMax)))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return err
		}
		pause *= 2
	}
}

// contextCause returns the end of a context that an error comes from, or nil.
func contextCause(err error) error {
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			return end
		}
	}
	return nil
}
