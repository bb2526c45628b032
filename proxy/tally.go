package proxy

import "sync"

// tally counts what is open and tells when nothing is. Unlike a
// sync.WaitGroup it may be added to while somebody waits.
type tally struct {
	mu    sync.Mutex
	open  int
	empty chan struct{} // closed when open is 0; nil if nobody asked yet
}

func (t *tally) add() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open++
}

func (t *tally) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open--
	if t.open == 0 && t.empty != nil {
		close(t.empty)
		t.empty = nil
	}
}

// none returns a channel that is closed as soon as nothing is open.
func (t *tally) none() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == 0 {
		now := make(chan struct{})
		close(now)
		return now
	}
	if t.empty == nil {
		t.empty = make(chan struct{})
	}
	return t.empty
}
