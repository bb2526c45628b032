package gateway

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"syscall"
)

// accessLogMode lets the log's group read it, as log shippers do, and nobody
// else: lines show who asked for what.
const accessLogMode = 0o640

// accessLog is where lines go: a stream, or a file that can be opened again
// after it was rotated away. One goroutine writes; a write that blocks blocks
// nobody else.
type accessLog struct {
	path   string    // "" for a stream
	stream io.Writer // nil: off
	file   atomic.Pointer[os.File]
}

// openAccessLog opens what log.access names.
func openAccessLog(access, base string, stdout io.Writer) (*accessLog, error) {
	switch access {
	case "off":
		return &accessLog{}, nil
	case "", "stdout":
		return &accessLog{stream: stdout}, nil
	}
	l := &accessLog{path: within(base, access)}
	return l, l.reopen()
}

// writer returns the log as a writer, nil when it is off.
func (l *accessLog) writer() io.Writer {
	switch {
	case l.path != "":
		return l
	case l.stream != nil:
		return l.stream
	}
	return nil
}

// Write writes whole lines to the file as it is open now.
func (l *accessLog) Write(p []byte) (int, error) {
	written := 0
	for {
		file := l.file.Load()
		n, err := file.Write(p[written:])
		written += n
		if !errors.Is(err, os.ErrClosed) || l.file.Load() == file {
			return written, err
		}
		// It was opened again meanwhile; the rest goes to the new one.
	}
}

// reopen opens the file by its name again. Where that does not work, the former
// one stays in use.
func (l *accessLog) reopen() error {
	if l.path == "" {
		return nil
	}
	// A pipe without a reader must not hold whoever opens it.
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, accessLogMode)
	if err != nil {
		return fmt.Errorf("access log %s: %w", l.path, causeOf(err))
	}
	if former := l.file.Swap(file); former != nil {
		return former.Close()
	}
	return nil
}

func (l *accessLog) close() error {
	if file := l.file.Load(); file != nil {
		return file.Close()
	}
	return nil
}
