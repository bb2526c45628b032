package e2e

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDemo: the lines that the demo prints do what they say when a shell runs them as printed, and Ctrl-C ends it well.
func TestDemo(t *testing.T) {
	tool(t, "curl")
	log := &transcript{}
	cmd := exec.Command(binary, "demo")
	cmd.Dir, cmd.Stderr = t.TempDir(), log
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if t.Failed() {
			t.Logf("gatehouse demo said:\n%s", log)
		}
	})
	lines := curlLines(t, stdout)
	go func() {
		_, _ = io.Copy(io.Discard, stdout) // access lines
		ended <- cmd.Wait()
	}()

	answers := map[string]int{}
	for _, line := range lines {
		got := command(t, "", "sh", "-c", line)
		if got.code != 0 {
			t.Errorf("%s = %d: %s", line, got.code, got.stderr)
		}
		answers[kindOf(got.stdout)]++
	}
	for _, kind := range []string{"acme", "globex", "redirect", "refused"} {
		if answers[kind] == 0 {
			t.Errorf("no line of the demo shows %s: %v\n%s", kind, answers, strings.Join(lines, "\n"))
		}
	}

	_ = cmd.Process.Signal(syscall.SIGINT)
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("after Ctrl-C gatehouse demo ended with %v, want status 0", err)
		}
	case <-time.After(stopTime):
		t.Error("gatehouse demo does not end by Ctrl-C")
	}
}

// curlLines reads until the demo says how to end it.
func curlLines(t *testing.T, r io.Reader) []string {
	t.Helper()
	read := make(chan []string, 1)
	go func() {
		var lines []string
		for s := bufio.NewScanner(r); s.Scan() && !strings.HasPrefix(s.Text(), "Ctrl-C"); {
			if strings.HasPrefix(s.Text(), "curl ") {
				lines = append(lines, s.Text())
			}
		}
		read <- lines
	}()
	select {
	case lines := <-read:
		return lines
	case <-time.After(startTime):
		t.Fatal("gatehouse demo printed nothing to try")
		return nil
	}
}

// kindOf tells by an answer what it shows.
func kindOf(answer string) string {
	head, body, _ := strings.Cut(answer, "\r\n\r\n")
	first, _, _ := strings.Cut(head, "\r\n")
	switch {
	case strings.Contains(first, " 308"):
		return "redirect"
	case strings.Contains(first, " 403"):
		return "refused"
	case strings.Contains(first, " 200") && strings.Contains(strings.ToLower(body), "globex"):
		return "globex"
	case strings.Contains(first, " 200") && strings.Contains(strings.ToLower(body), "acme"):
		return "acme"
	}
	return first
}
