// Package linequeue hands the lines of a log to their destination from one
// goroutine, so that nobody who writes a line waits for it: a pipe that nobody
// reads, a disk that hangs or is full cost lines, which are counted, and no
// time. Lines keep their order.
package linequeue

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// closeTimeout is how long the last lines may take.
const closeTimeout = 2 * time.Second

// Options say how a queue hands lines on.
type Options struct {
	Room  int // how many bytes may wait; lines that do not fit are dropped
	Batch int // how many wait before Write wakes the writer; 0: each line wakes it

	// Failed hears of a write that failed, unless the one before it has failed
	// too. May be nil.
	Failed func(error)
	// Notice makes the line that stands where lines are missing, once there is
	// something to be written again. May be nil.
	Notice func(missing int) []byte
}

// Queue takes whole lines and writes them in bunches.
type Queue struct {
	sink    io.Writer
	options Options
	dropped atomic.Uint64
	wake    chan struct{} // holds one token
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when Run has returned

	mu       sync.Mutex
	pending  []byte
	overflow int    // lines that have not fitted behind pending
	last     []byte // of Close

	// Those of Run.
	batch   []byte
	missing int // lines since the last notice
	failing bool
	torn    bool // the last line that went out lacks its end
}

// New returns an empty queue. Until Run is called it only takes lines.
func New(sink io.Writer, o Options) *Queue {
	return &Queue{
		sink: sink, options: o,
		wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
}

// Write takes a line, or drops it. It does not wait and has no error.
func (q *Queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	waiting := len(q.pending) + len(line)
	fits := waiting <= q.options.Room
	if fits {
		q.pending = append(q.pending, line...)
	} else {
		q.overflow++
	}
	q.mu.Unlock()
	if !fits {
		q.dropped.Add(1)
	}
	if waiting >= q.options.Batch {
		q.Flush()
	}
	return len(line), nil
}

// Flush wakes the writer. It does not wait for it.
func (q *Queue) Flush() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Dropped is how many lines did not go out: they did not fit, or their write
// failed.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

// Run writes what waits whenever it is woken, and once more for Close.
func (q *Queue) Run() {
	defer close(q.done)
	for {
		closing := false
		select {
		case <-q.wake:
		case <-q.closing:
			closing = true
		}
		q.hand()
		if closing {
			return
		}
	}
}

// Close has Run write what is left, then last words of any length, and end. It
// waits for that, unless the destination is blocked; then it reports false.
// Close is called once; what is written to the queue after it goes nowhere.
func (q *Queue) Close(last []byte) bool {
	q.mu.Lock()
	q.last = last
	q.mu.Unlock()
	close(q.closing)
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-q.done:
		return true
	case <-timer.C:
		return false
	}
}

// hand writes what waits, with a notice where lines are missing.
func (q *Queue) hand() {
	q.mu.Lock()
	q.batch, q.pending = q.pending, q.batch[:0]
	overflow, last := q.overflow, q.last
	q.overflow, q.last = 0, nil
	q.mu.Unlock()

	q.notice() // a former write may have failed
	q.write(q.batch)
	q.missing += overflow
	q.notice()
	q.write(last)
}

func (q *Queue) notice() {
	if q.missing == 0 || q.options.Notice == nil {
		return
	}
	if _, err := q.put(q.options.Notice(q.missing)); err == nil {
		q.missing = 0
	}
}

func (q *Queue) write(lines []byte) {
	if len(lines) == 0 {
		return
	}
	n, err := q.put(lines)
	if err == nil {
		q.failing = false
		return
	}
	lost := bytes.Count(lines[n:], []byte{'\n'})
	q.dropped.Add(uint64(lost))
	q.missing += lost
	if !q.failing && q.options.Failed != nil {
		q.options.Failed(err)
	}
	q.failing = true
}

// put writes whole lines. It ends one first that a write has left torn, or the next
// would be a part of it.
func (q *Queue) put(lines []byte) (n int, err error) {
	if q.torn {
		n, err := q.sink.Write([]byte{'\n'})
		if q.torn = n == 0; err != nil {
			return 0, err
		}
	}
	n, err = q.sink.Write(lines)
	q.torn = err != nil && n > 0 && lines[n-1] != '\n'
	return n, err
}
