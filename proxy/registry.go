package proxy

import "sync"

// shards is the number of parts of the registry: a sweep over 100,000 idle
// connections holds one lock for less than a millisecond then.
const shards = 16

// link is a watch's place in its shard.
type link struct {
	shard      *shard
	prev, next *watch
}

// registry knows every watch that is open: connections and HTTP/2 streams.
type registry struct {
	shards [shards]shard
}

type shard struct {
	mu   sync.Mutex
	head *watch
}

func (r *registry) remove(w *watch) {
	_ = r
	_ = w
}
