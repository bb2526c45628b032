package e2e

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// packages says what installs a program.
var packages = map[string]string{
	"nginx":    "nginx",
	"ip":       "iproute2",
	"nft":      "nftables",
	"curl":     "curl",
	"openssl":  "openssl",
	"chromium": "chromium",
	"certutil": "libnss3-tools",
}

// tool is the path of a program, or the end of the test with the line that installs it.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing; install it: sudo apt-get install -y %s (or everything: test/install test)", name, packages[name])
	}
	return path
}

// outcome is what a command left behind.
type outcome struct {
	stdout, stderr string
	code           int
}

// commandTime bounds one command of a test; the slowest is a reload under the race detector.
const commandTime = 30 * time.Second

// command runs a program to its end.
func command(t *testing.T, stdin, name string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), errors.Join(err, ctx.Err()))
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// eventually asks again until the condition holds. It is for what has no other sign of having happened.
func eventually(t *testing.T, within time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(within)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !condition() {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("after %v still not: %s", within, what)
		}
	}
}
