package acme

import (
	"context"
	"fmt"
	"sync"
)

// locks are mutual exclusion by name, within this process: the state folder
// has one process at a time. Its zero value is ready.
type locks struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the holder lets go
}

// lock waits until nobody holds name, or the context ends.
func (l *locks) lock(ctx context.Context, name string) error {
	for {
		if l.try(name) {
			return nil
		}
		l.mu.Lock()
		holder, busy := l.held[name]
		l.mu.Unlock()
		if !busy {
			continue
		}
		select {
		case <-holder:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// try takes the lock of name if nobody holds it.
func (l *locks) try(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, busy := l.held[name]; busy {
		return false
	}
	if l.held == nil {
		l.held = map[string]chan struct{}{}
	}
	l.held[name] = make(chan struct{})
	return true
}

// unlock lets go of name.
func (l *locks) unlock(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	holder, busy := l.held[name]
	if !busy {
		return fmt.Errorf("%q is not locked", name)
	}
	delete(l.held, name)
	close(holder)
	return nil
}
