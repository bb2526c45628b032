package gateway

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// accessLogMode lets the log's group read it, as log shippers do, and nobody
// else: lines show who asked for what.
const accessLogMode = 0o640

// accessLog is where lines go: a stream or a file that can be reopened after it
// was rotated away.
type accessLog struct {
	path string // "" for a stream

	mu  sync.Mutex
	out io.Writer // nil: off
}

// openAccessLog opens what log.access names.
func openAccessLog(access, base string, stdout io.Writer) (*accessLog, error) {
	switch access {
	case "off":
		return &accessLog{}, nil
	case "", "stdout":
		return &accessLog{out: stdout}, nil
	}
	l := &accessLog{path: within(base, access)}
	return l, l.reopen()
}

// writer returns the log as a writer, nil when it is off.
func (l *accessLog) writer() io.Writer {
	if l.path == "" && l.out == nil {
		return nil
	}
	return l
}

// Write writes whole lines.
func (l *accessLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

// reopen opens the file by its name again. Where that fails, the former file
// stays in use.
func (l *accessLog) reopen() error {
	if l.path == "" {
		return nil
	}
	f, err := os.OpenFile(l.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, accessLogMode)
	if err != nil {
		return fmt.Errorf("access log: %w", err)
	}
	l.mu.Lock()
	former := l.out
	l.out = f
	l.mu.Unlock()
	return closeFile(former)
}

func (l *accessLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.path == "" {
		return nil
	}
	return closeFile(l.out)
}

func closeFile(w io.Writer) error {
	if f, ok := w.(*os.File); ok {
		return f.Close()
	}
	return nil
}
