package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// workerEnv tells this binary to be a worker in place of a test: its address, the file of what arrives, and how long
// each answer takes.
const workerEnv = "GATEHOUSE_E2E_WORKER"

// A worker is a backend that is a process of its own, so that it can be killed in the middle of anything. It writes
// down each request in one system call before it answers, which outlives it, and fails in the way that the request's
// path asks for.
type worker struct {
	t       *testing.T
	address string
	log     string
	takes   time.Duration
	netns   string // runs in this network namespace; "" for ours
	cmd     *exec.Cmd
}

// newWorker starts one on loopback.
func newWorker(t *testing.T, takes time.Duration) *worker {
	t.Helper()
	w := &worker{t: t, address: fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0]), log: filepath.Join(t.TempDir(), "arrived"), takes: takes}
	w.start()
	return w
}

// start runs it until it is killed, or the test ends.
func (w *worker) start() {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	args := []string{"env", fmt.Sprintf("%s=%s %s %s", workerEnv, w.address, w.log, w.takes), self}
	if w.netns != "" {
		args = asRoot(append([]string{tool(w.t, "ip"), "netns", "exec", w.netns}, args...)...)
	}
	w.cmd = exec.Command(args[0], args[1:]...)
	w.cmd.Stderr = os.Stderr
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		_, err = w.cmd.StdinPipe() // which ends with us, and the worker with it
	}
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "listening\n" {
		w.t.Fatalf("the worker says %q, %v", line, err)
	}
}

// kill ends it without a chance to say goodbye.
func (w *worker) kill() {
	if w.cmd.ProcessState == nil {
		_ = w.cmd.Process.Signal(syscall.SIGKILL)
		_ = w.cmd.Wait()
	}
}

func (w *worker) url() string { return "http://" + w.address }

// arrived counts what it has seen, by method and path.
func (w *worker) arrived() map[string]int {
	w.t.Helper()
	text, err := os.ReadFile(w.log)
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	seen := make(map[string]int)
	for line := range strings.Lines(string(text)) {
		seen[strings.TrimSpace(line)]++
	}
	return seen
}

// beWorker is what TestMain does in a worker's process.
func beWorker(order string) error {
	var address, path, takes string
	if _, err := fmt.Sscan(order, &address, &path, &takes); err != nil {
		return err
	}
	pause, err := time.ParseDuration(takes)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go work(c.(*net.TCPConn), log, pause)
	}
}

// work serves one connection.
func work(c *net.TCPConn, log io.Writer, pause time.Duration) {
	defer c.Close()
	reader := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		fmt.Fprintf(log, "%s %s\n", r.Method, r.URL.Path)
		<-time.After(pause)
		fault, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if fail := workerFaults[fault]; fail != nil {
			fail(c)
			return
		}
		if _, err := io.WriteString(c, workerAnswer); err != nil {
			return
		}
	}
}

const (
	workerAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nworker"
	// lastAnswer says that the connection ends behind it: a POST on one that rests and dies is 502.
	lastAnswer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nworker"
)

// workerFaults are what the first segment of a path asks for. The connection ends behind each.
var workerFaults = map[string]func(*net.TCPConn){
	"reset":  func(c *net.TCPConn) { _ = c.SetLinger(0) },
	"close":  func(*net.TCPConn) {},
	"silent": untilLeft,
	"drip":   func(c *net.TCPConn) { drip(c, lastAnswer, len(lastAnswer)/4, 5*time.Millisecond) },
	"drag":   func(c *net.TCPConn) { drip(c, lastAnswer, 1, 100*time.Millisecond) },
	"stall": func(c *net.TCPConn) {
		_, _ = io.WriteString(c, strings.TrimSuffix(workerAnswer, "ker"))
		untilLeft(c)
	},
	"stall-chunk": func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwor\r\n")
		untilLeft(c)
	},
	"trickle": func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
		drip(c, strings.Repeat("x", 1000), 1, 50*time.Millisecond)
	},
	"half-head":   func(c *net.TCPConn) { _, _ = io.WriteString(c, workerAnswer[:20]) },
	"short":       func(c *net.TCPConn) { _, _ = io.WriteString(c, strings.TrimSuffix(workerAnswer, "ker")) },
	"short-reset": shortAndReset,
	"short-chunk": func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nwor\r\n")
	},
	"long": func(c *net.TCPConn) {
		_, _ = io.WriteString(c, workerAnswer+"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalien")
		untilLeft(c)
	},
	"two-lengths": func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Length: 5\r\n\r\nworker")
	},
	"no-length": func(c *net.TCPConn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: -6\r\n\r\nworker")
	},
	"garbage": func(c *net.TCPConn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n\r\n") },
}

func shortAndReset(c *net.TCPConn) {
	_, _ = io.WriteString(c, strings.TrimSuffix(workerAnswer, "ker"))
	// What is sent arrives before the reset that follows it.
	<-time.After(100 * time.Millisecond)
	_ = c.SetLinger(0)
}

// drip writes text in pieces of so many bytes.
func drip(c *net.TCPConn, text string, size int, pause time.Duration) {
	for piece := range slices.Chunk([]byte(text), size) {
		if _, err := c.Write(piece); err != nil {
			return
		}
		<-time.After(pause)
	}
}

// untilLeft says nothing until the other side has left.
func untilLeft(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }
