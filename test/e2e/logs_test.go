package e2e

import (
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestStuckLog: with a stderr that is full and that nobody reads, the gateway starts, answers requests, does what
// operators order, takes over files and ends with SIGTERM.
func TestStuckLog(t *testing.T) {
	w := newWorld(t)
	w.stderr = newFullPipe(t).writer
	p := w.start(t)
	w.work(t)
	p.stop()

	w.write(t, "gatehouse.yaml", "nothing: of this\n")
	if code := w.launch(t).wait(startTime); code != 1 {
		t.Errorf("a start with a broken file = %d, want 1", code)
	}
}

// TestSlowLog: what is said while nobody reads comes out in its order when somebody does, to the last line.
func TestSlowLog(t *testing.T) {
	w := newWorld(t)
	pipe := newFullPipe(t)
	w.stderr = pipe.writer
	p := w.start(t)
	w.work(t)
	said := make(chan string, 1)
	_ = pipe.writer.Close() // the gateway has the last one
	go func() {
		text, err := io.ReadAll(pipe.reader)
		if err != nil {
			t.Error(err)
		}
		said <- strings.TrimLeft(string(text), "\x00")
	}()
	p.stop()
	text := <-said
	rest := text
	for _, word := range []string{"msg=serving", "order=block", "order=unblock", "order=suspend", "order=resume", `"config applied"`, `"going down"`} {
		_, after, found := strings.Cut(rest, word)
		if !found {
			t.Fatalf("%s is missing in what has come out, or not where it belongs:\n%s", word, text)
		}
		rest = after
	}
	if strings.Contains(text, "lines are missing") {
		t.Errorf("lines are missing:\n%s", text)
	}
}

// TestReadersGone: the gateway outlives the readers of its stdout and stderr, and counts what nobody has read.
func TestReadersGone(t *testing.T) {
	w := newWorld(t)
	out, events := newPipe(t), newPipe(t)
	w.stdout, w.stderr = out.writer, events.writer
	p := w.start(t)
	out.reader.Close()
	events.reader.Close()
	w.work(t)
	for _, series := range []string{"gatehouse_log_dropped_total", "gatehouse_access_log_dropped_total"} {
		eventually(t, answerTime, series+" counts", func() bool { return w.metric(t, series) > 0 })
	}
	p.stop()
}

// work has a request answered, every kind of order done, and a file taken over.
func (w *world) work(t *testing.T) {
	t.Helper()
	client := w.client(t, clientOfAcme)
	get(t, client, w.url("acme.example", "/"), 200)
	for _, args := range [][]string{
		{"block", "192.0.2.0/24", "--for", "1h", "--why", "test"},
		{"unblock", "192.0.2.0/24"},
		{"suspend", "globex", "--why", "test"},
		{"resume", "globex"},
	} {
		if got := w.gatehouse(t, args...); got.code != 0 {
			t.Fatalf("%s = %d, want 0\n%s%s", args[0], got.code, got.stdout, got.stderr)
		}
	}
	w.write(t, "tenants/acme.yaml", acmeText(w.acme.url())+"timeouts: {connect: 1s}\n")
	w.reload(t)
	get(t, client, w.url("acme.example", "/"), 200)
}

// pipe is one whose writer blocks, as those are that a process is started with.
type pipe struct{ reader, writer *os.File }

func newPipe(t *testing.T) pipe {
	t.Helper()
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	p := pipe{os.NewFile(uintptr(ends[0]), "reader"), os.NewFile(uintptr(ends[1]), "writer")}
	t.Cleanup(func() {
		p.reader.Close()
		p.writer.Close()
	})
	return p
}

// newFullPipe is one that takes not a byte until it is read. Zeros are in it.
func newFullPipe(t *testing.T) pipe {
	t.Helper()
	p := newPipe(t)
	fd := int(p.writer.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for size := 1 << 12; size > 0; size /= 2 {
		for err := error(nil); err == nil; {
			_, err = syscall.Write(fd, make([]byte, size))
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	return p
}
