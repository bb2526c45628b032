package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	startTime = 30 * time.Second // to readiness; a cold start under the race detector on a busy machine
	stopTime  = 20 * time.Second // from SIGTERM to exit, above the drain time of every table here
)

// A process is a running gateway.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	log    *transcript
	exited chan struct{}
}

// transcript keeps what a process says, for the test that fails and for tests of what it says.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// start runs the gateway until the test ends, and waits until it is ready.
func (w *world) start(t *testing.T) *process {
	t.Helper()
	p := w.launch(t)
	t.Cleanup(p.stop)
	deadline := time.After(startTime)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !w.ready() {
		select {
		case <-p.exited:
			t.Fatalf("gatehouse run ended with %d before it was ready", p.cmd.ProcessState.ExitCode())
		case <-deadline:
			t.Fatal("gatehouse run is not ready")
		case <-again.C:
		}
	}
	return p
}

// launch runs the gateway without waiting for anything.
func (w *world) launch(t *testing.T) *process {
	t.Helper()
	access, err := os.OpenFile(filepath.Join(w.dir, "access.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer access.Close()
	p := &process{t: t, log: &transcript{}, exited: make(chan struct{})}
	run := []string{binary, "run", "-c", w.config()}
	if w.files > 0 {
		run = append([]string{"sh", "-c", `ulimit -n "$0" && exec "$@"`, fmt.Sprint(w.files)}, run...)
	}
	p.cmd = exec.Command(run[0], run[1:]...)
	p.cmd.Env = append(os.Environ(), w.env...)
	p.cmd.Stdout, p.cmd.Stderr = access, p.log
	if w.stdout != nil {
		p.cmd.Stdout = w.stdout
	}
	if w.stderr != nil {
		p.cmd.Stderr = w.stderr
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait() // what it says is in ProcessState
	}()
	t.Cleanup(func() {
		select {
		case <-p.exited:
		default:
			p.kill()
		}
		if t.Failed() {
			t.Logf("gatehouse said:\n%s", p.log)
		}
	})
	return p
}

// ready asks as a load balancer does.
func (w *world) ready() bool {
	client := http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", w.health))
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// stop ends the gateway as an operator does, and wants a clean exit.
func (p *process) stop() {
	p.t.Helper()
	select {
	case <-p.exited:
		return
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if code := p.wait(stopTime); code != 0 {
		p.t.Errorf("after SIGTERM gatehouse run = %d, want 0", code)
	}
}

// kill ends it without a chance to say goodbye.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// wait gives the exit status.
func (p *process) wait(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(within):
		p.t.Errorf("gatehouse run has not ended within %v", within)
		p.kill()
	}
	return p.cmd.ProcessState.ExitCode()
}

// refused wants a start that ends with status 1 and one line holding all words.
func (p *process) refused(words ...string) {
	p.t.Helper()
	if code := p.wait(startTime); code != 1 {
		p.t.Errorf("gatehouse run = %d, want 1", code)
	}
	// The first start of a state says in its log that it made keys; what counts is what follows.
	var rest []string
	for line := range strings.Lines(p.log.String()) {
		if !strings.HasPrefix(line, "time=") {
			rest = append(rest, line)
		}
	}
	said := strings.TrimSpace(strings.Join(rest, ""))
	if said == "" || strings.Contains(said, "\n") {
		p.t.Errorf("gatehouse run said %q, want one line", said)
	}
	for _, word := range words {
		if !strings.Contains(said, word) {
			p.t.Errorf("gatehouse run said %q, want %q in it", said, word)
		}
	}
}

// metric is a series as it stands, 0 where there is none.
func (w *world) metric(t *testing.T, series string) (value float64) {
	t.Helper()
	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", w.admin))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the metrics are answered with %s", answer.Status)
	}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
			if _, err := fmt.Sscan(rest, &value); err != nil {
				t.Fatalf("%s: %v", series, err)
			}
		}
	}
	return value
}
