package proxy

import (
	"sync"
	"sync/atomic"
)

// shards is the number of parts of the registry: with 100,000 idle connections
// a sweep holds one lock for less than a millisecond then, and accepting waits
// no longer than that.
const shards = 16

// registry knows every watch that is open: connections and HTTP/2 streams. A
// shard's lock is taken before a watch's, never after it.
type registry struct {
	turn   atomic.Uint32
	shards [shards]shard
}

type shard struct {
	mu    sync.Mutex
	first *watch
}

// link is a watch's place in its shard; the zero link is in none.
type link struct {
	shard      *shard
	prev, next *watch
}

// add puts a watch on the books.
func (r *registry) add(w *watch) {
	s := &r.shards[r.turn.Add(1)%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	w.link = link{shard: s, next: s.first}
	if s.first != nil {
		s.first.link.prev = w
	}
	s.first = w
}

// remove takes a watch off the books. It must be there.
func (r *registry) remove(w *watch) {
	s := w.link.shard
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.link.prev != nil {
		w.link.prev.link.next = w.link.next
	} else {
		s.first = w.link.next
	}
	if w.link.next != nil {
		w.link.next.link.prev = w.link.prev
	}
	w.link.prev, w.link.next = nil, nil
}

// each calls f for every watch. f runs under the lock of a shard: it must be
// quick, and must not add or remove.
func (r *registry) each(f func(*watch)) {
	for i := range r.shards {
		r.shards[i].each(f)
	}
}

func (s *shard) each(f func(*watch)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := s.first; w != nil; w = w.link.next {
		f(w)
	}
}
