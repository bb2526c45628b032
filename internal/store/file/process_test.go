package file_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/file"
)

// The test binary runs itself as a second process; these name its task and
// its directory.
const (
	childTask = "STORE_TEST_TASK"
	childDir  = "STORE_TEST_DIR"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childTask) {
	case "hold":
		holdLock(os.Getenv(childDir))
	case "write":
		writeForever(os.Getenv(childDir))
	default:
		os.Exit(m.Run())
	}
}

// holdLock opens the store and keeps it until standard input ends.
func holdLock(dir string) {
	s, err := file.Open(dir, discard())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("open")
	io.Copy(io.Discard, os.Stdin)
	s.Close()
}

// writeForever puts generation after generation, and says each once its Put
// has returned, until it is killed.
func writeForever(dir string) {
	s, err := file.Open(dir, discard())
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	ctx := context.Background()
	first, err := generation(s.Get(ctx, "a/counter"))
	for n := first + 1; err == nil; n++ {
		if err = s.Put(ctx, "a/counter", value(n)); err == nil {
			fmt.Println(n)
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// value is long enough for several writes to the disk, and its length differs
// from that of its neighbours.
func value(n int) []byte {
	line := strconv.Itoa(n) + "\n"
	return []byte(strings.Repeat(line, 20_000+n%7*1000))
}

// generation returns the n of which data is value(n), 0 where there is none.
func generation(data []byte, err error) (int, error) {
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(data), "\n")
	n, err := strconv.Atoi(line)
	if err != nil || string(value(n)) != string(data) {
		return 0, fmt.Errorf("%d bytes that begin with %.20q are no whole value", len(data), data)
	}
	return n, nil
}

type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
}

func start(t *testing.T, task, dir string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childTask+"="+task, childDir+"="+dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &child{cmd, stdin, bufio.NewScanner(stdout)}
}

func (c *child) line(t *testing.T) string {
	t.Helper()
	if !c.lines.Scan() {
		t.Fatalf("the second process ended: %v", c.lines.Err())
	}
	return c.lines.Text()
}

func TestTwoProcesses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	holder := start(t, "hold", dir)
	if got := holder.line(t); got != "open" {
		t.Fatal(got)
	}
	_, err := file.Open(dir, discard())
	var locked *file.LockedError
	if !errors.As(err, &locked) || !errors.Is(err, file.ErrLocked) {
		t.Fatalf("Open = %v, want a LockedError", err)
	}
	if locked.PID != holder.cmd.Process.Pid || locked.Dir != dir {
		t.Errorf("LockedError names process %d and %s, want %d and %s", locked.PID, locked.Dir, holder.cmd.Process.Pid, dir)
	}
	if want := fmt.Sprintf("state %s is in use by process %d", dir, locked.PID); err.Error() != want {
		t.Errorf("error text %q, want %q", err, want)
	}
	holder.stdin.Close()
	if err := holder.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestTwoStoresInOneProcess(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := file.Open(dir, discard()); !errors.Is(err, file.ErrLocked) {
		t.Errorf("Open = %v, want ErrLocked", err)
	}
	s.Close()
	open(t, dir)
}

// TestKilledWhilePutting kills a writer a varying number of values after it
// began, each time without a word of warning. The value found is whole, and
// no older than the last one whose Put had returned.
func TestKilledWhilePutting(t *testing.T) {
	dir := t.TempDir()
	for round := range 12 {
		writer := start(t, "write", dir)
		said := 0
		for range round%5 + 1 {
			n, err := strconv.Atoi(writer.line(t))
			if err != nil {
				t.Fatal(err)
			}
			said = n
		}
		if err := writer.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for writer.lines.Scan() { // what it said before the signal came
			if n, err := strconv.Atoi(writer.lines.Text()); err == nil {
				said = n
			}
		}
		writer.cmd.Wait()
		s := open(t, dir)
		got, err := generation(s.Get(t.Context(), "a/counter"))
		if err != nil || got < said || got > said+1 {
			t.Errorf("round %d: found value %d, %v; want %d or the one after", round, got, err, said)
		}
		if left := entries(t, filepath.Join(dir, "temp")); len(left) != 0 {
			t.Errorf("round %d: temp holds %q", round, left)
		}
		s.Close()
	}
}
