package proxy

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"gatehouse/internal/metrics"
)

const (
	// accessBufferMax is how much of the access log may wait for its
	// destination: 3,000 lines, a tenth of a second at full load. Beyond it
	// lines are dropped.
	accessBufferMax = 1 << 20

	// accessWriteBytes is how much is waiting before the writer is woken ahead
	// of the next tick: one write system call for about 200 lines.
	accessWriteBytes = 64 << 10

	// accessScratchMax is how many buffers for one line are kept: one for each
	// core that makes a line at the same moment.
	accessScratchMax = 64

	// accessCloseTimeout is how long the last lines may take when the server
	// goes down.
	accessCloseTimeout = 2 * time.Second
)

// accessLog takes the line of each exchange and hands lines on in bunches, from
// one goroutine. Nobody waits for the destination: what does not fit the buffer
// while it is blocked is dropped and counted. A nil accessLog takes nothing.
type accessLog struct {
	sink    io.Writer
	log     *slog.Logger
	metrics *metrics.Set
	query   LogQuery
	client  LogClient
	scratch chan []byte   // free buffers, for one line each
	wake    chan struct{} // holds one token
	done    chan struct{} // closed when run has returned

	mu      sync.Mutex
	pending []byte
}

func newAccessLog(o Options) *accessLog {
	if o.AccessLog == nil {
		return nil
	}
	return &accessLog{
		sink:    o.AccessLog,
		log:     o.Log,
		metrics: o.Metrics,
		query:   o.LogQuery,
		client:  o.LogClient,
		scratch: make(chan []byte, accessScratchMax),
		wake:    make(chan struct{}, 1),
		done:    make(chan struct{}),
	}
}

// exchange logs a finished exchange.
func (l *accessLog) exchange(ex *exchange, now time.Time) {
	if l == nil {
		return
	}
	// The line is made outside of the lock, so that cores do not wait for each
	// other's formatting.
	var scratch []byte
	select {
	case scratch = <-l.scratch:
	default:
	}
	scratch = l.appendLine(scratch[:0], ex, now)
	l.take(scratch)
	select {
	case l.scratch <- scratch:
	default:
	}
}

// take appends a line to what waits, or drops it.
func (l *accessLog) take(line []byte) {
	l.mu.Lock()
	waiting := len(l.pending)
	fits := waiting+len(line) <= accessBufferMax
	if fits {
		l.pending = append(l.pending, line...)
	}
	l.mu.Unlock()
	switch {
	case !fits:
		l.metrics.AccessLogDropped(1)
	case waiting+len(line) >= accessWriteBytes:
		l.flush()
	}
}

// flush wakes the writer. It does not wait for it.
func (l *accessLog) flush() {
	if l == nil {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run writes what waits whenever it is woken, and once more when ctx ends.
func (l *accessLog) run(ctx context.Context) {
	defer close(l.done)
	var batch []byte
	for {
		ended := false
		select {
		case <-l.wake:
		case <-ctx.Done():
			ended = true
		}
		l.mu.Lock()
		batch, l.pending = l.pending, batch[:0]
		l.mu.Unlock()
		l.write(batch)
		if ended {
			return
		}
	}
}

func (l *accessLog) write(batch []byte) {
	if len(batch) == 0 {
		return
	}
	n, err := l.sink.Write(batch)
	if err == nil {
		return
	}
	dropped := bytes.Count(batch[n:], []byte{'\n'})
	l.metrics.AccessLogDropped(dropped)
	l.log.Error("the access log cannot be written; dropped what did not go out", "lines", dropped, "error", err)
}

// close waits for run to write what is left, unless its destination is blocked.
func (l *accessLog) close() {
	timer := time.NewTimer(accessCloseTimeout)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		l.log.Error("the access log is blocked; dropped its last lines")
	}
}
