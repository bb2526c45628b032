package proxy

import (
	"log/slog"
	"time"

	"gatehouse/internal/linequeue"
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
)

// accessLog takes the line of each exchange. Nobody waits for the destination.
// A nil accessLog takes nothing.
type accessLog struct {
	lines   *linequeue.Queue
	log     *slog.Logger
	query   LogQuery
	client  LogClient
	scratch chan []byte // free buffers, for one line each
}

func newAccessLog(o Options) *accessLog {
	if o.AccessLog == nil {
		return nil
	}
	l := &accessLog{
		log:     o.Log,
		query:   o.LogQuery,
		client:  o.LogClient,
		scratch: make(chan []byte, accessScratchMax),
	}
	l.lines = linequeue.New(o.AccessLog, linequeue.Options{
		Room: accessBufferMax, Batch: accessWriteBytes, Failed: l.failed,
	})
	o.Metrics.AccessLogDropped(l.lines.Dropped)
	return l
}

// exchange logs a finished exchange.
func (l *accessLog) exchange(ex *exchange, now time.Time) {
	if l == nil {
		return
	}
	// The line is made outside of the queue, so that cores do not wait for each
	// other's formatting.
	var scratch []byte
	select {
	case scratch = <-l.scratch:
	default:
	}
	scratch = l.appendLine(scratch[:0], ex, now)
	_, _ = l.lines.Write(scratch) // it has no error
	select {
	case l.scratch <- scratch:
	default:
	}
}

// flush has what waits written. It does not wait for that.
func (l *accessLog) flush() {
	if l != nil {
		l.lines.Flush()
	}
}

// run writes lines until close.
func (l *accessLog) run() {
	if l != nil {
		l.lines.Run()
	}
}

// close waits for run to write what is left, unless its destination is blocked.
func (l *accessLog) close() {
	if l != nil && !l.lines.Close(nil) {
		l.log.Error("the access log is blocked; dropped its last lines")
	}
}

func (l *accessLog) failed(err error) {
	l.log.Error("the access log cannot be written; its lines are dropped until it can", "error", err)
}
