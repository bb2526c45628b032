package pool

import (
	"container/heap"
	"time"
)

// turn is when something is due, and its place in the queue.
type turn struct {
	due time.Time
	at  int // -1 while it is in no queue
}

func (t *turn) turned() *turn { return t }

// dueQueue is a heap: what is due first comes first.
type dueQueue[T interface{ turned() *turn }] []T

// Len, Less, Swap, Push and Pop are for container/heap.
func (q dueQueue[T]) Len() int           { return len(q) }
func (q dueQueue[T]) Less(i, j int) bool { return q[i].turned().due.Before(q[j].turned().due) }
func (q dueQueue[T]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].turned().at, q[j].turned().at = i, j
}

// Push appends.
func (q *dueQueue[T]) Push(x any) {
	w := x.(T)
	w.turned().at = len(*q)
	*q = append(*q, w)
}

// Pop takes the last one off.
func (q *dueQueue[T]) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	clear((*q)[last:])
	*q = (*q)[:last]
	w.turned().at = -1
	return w
}

// drop takes out what t is the turn of, if it is in.
func (q *dueQueue[T]) drop(t *turn) {
	if t.at >= 0 && t.at < len(*q) && (*q)[t.at].turned() == t {
		heap.Remove(q, t.at)
	}
}
