package main

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"gatehouse/internal/linequeue"
)

// eventLogMax is how much of the log of events may wait for stderr: 40,000
// lines, so that a start that has something to say about each of ten thousand
// tenants loses nothing to a reader who takes his time.
const eventLogMax = 8 << 20

// eventLog is what the gateway says on stderr. Nobody waits for stderr: lines
// are written under locks and in requests.
type eventLog struct {
	*slog.Logger
	lines *linequeue.Queue
}

// newEventLog returns a log to stderr that close must end.
func newEventLog(stderr io.Writer) *eventLog {
	lines := linequeue.New(stderr, linequeue.Options{Room: eventLogMax, Notice: missingLine})
	go lines.Run()
	log := slog.New(slog.NewTextHandler(lines, nil))
	slog.SetDefault(log) // what the standard library logs by itself must not wait either
	return &eventLog{log, lines}
}

// missingLine stands in the log where lines are missing.
func missingLine(missing int) []byte {
	var line bytes.Buffer
	slog.New(slog.NewTextHandler(&line, nil)).Warn("stderr took no lines for a while; lines are missing here", "lines", missing)
	return line.Bytes()
}

// close writes what is left, and the error that the gateway has ended with,
// unless stderr is blocked. It returns the error of a command that has said
// everything.
func (l *eventLog) close(err error) error {
	if err == nil {
		l.lines.Close(nil)
		return nil
	}
	l.lines.Close(fmt.Appendf(nil, "gatehouse: %v\n", err))
	return notFine{}
}

// outliveReaders lets a write to stdout or stderr whose reader has gone fail,
// which otherwise ends the process. Ignoring the signal would do so too, and
// would be passed on to the programs that the gateway starts.
func outliveReaders() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
}
