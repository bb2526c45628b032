package main

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// output is what run has printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	done chan struct{} // closed with the last line
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.text.Write(p)
	if strings.HasSuffix(o.text.String(), "Ctrl-C ends it.\n") {
		close(o.done)
	}
	return n, err
}

// TestLinesWork plays it, types every line that it prints, and ends it as
// Ctrl-C does.
func TestLinesWork(t *testing.T) {
	gatehouse := filepath.Join(t.TempDir(), "gatehouse")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", gatehouse, "gatehouse/cmd/gatehouse").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout, stderr := &output{done: make(chan struct{})}, &output{done: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, gatehouse, stdout, stderr) }()
	select {
	case <-stdout.done:
	case err := <-ended:
		t.Fatalf("it ended: %v\n%s", err, &stderr.text)
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not get ready")
	}
	lines := 0
	for line := range strings.Lines(stdout.text.String()) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "curl ") && !strings.HasPrefix(line, gatehouse) {
			continue
		}
		lines++
		out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
		if strings.HasPrefix(line, "curl ") && !strings.Contains(string(out), "X-Request-Id") {
			t.Errorf("%s shows no page of a sample application:\n%s", line, out)
		}
	}
	if lines != 8 {
		t.Errorf("%d lines were tried, want 8:\n%s", lines, &stdout.text)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the end: %v", err)
	}
}
