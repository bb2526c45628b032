package linequeue

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sink is a destination that can be told to wait, or to fail after some bytes.
type sink struct {
	got   bytes.Buffer
	free  chan struct{} // nil: writes at once
	fails error
	takes int // bytes of a write that fails
}

func (s *sink) Write(p []byte) (int, error) {
	if s.free != nil {
		<-s.free
	}
	if s.fails != nil {
		n, _ := s.got.Write(p[:min(s.takes, len(p))])
		return n, s.fails
	}
	return s.got.Write(p)
}

func notice(missing int) []byte { return fmt.Appendf(nil, "%d missing\n", missing) }

// write hands a line over, at once.
func write(t *testing.T, q *Queue, line string) {
	t.Helper()
	began := time.Now()
	if n, err := q.Write([]byte(line)); n != len(line) || err != nil || time.Since(began) > 0 {
		t.Errorf("Write = %d, %v after %v", n, err, time.Since(began))
	}
}

func (s *sink) wants(t *testing.T, q *Queue, dropped uint64, want string) {
	t.Helper()
	if got := s.got.String(); got != want || q.Dropped() != dropped {
		t.Errorf("the destination has %q and %d lines count as dropped, want %q and %d", got, q.Dropped(), want, dropped)
	}
}

// TestOrder: lines go out as they came, the last words after all others, also
// those that Close finds waiting.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(sink)
		q := New(s, Options{Room: 1 << 20})
		var want strings.Builder
		add := func(from, to int) {
			for i := from; i < to; i++ {
				line := fmt.Sprintln("line", i)
				write(t, q, line)
				want.WriteString(line)
			}
		}
		add(0, 100)
		go q.Run()
		synctest.Wait()
		s.wants(t, q, 0, want.String())
		add(100, 200)
		last := strings.Repeat("last\n", 1<<20) // beyond what has room
		if !q.Close([]byte(last)) {
			t.Error("Close = false")
		}
		s.wants(t, q, 0, want.String()+last)
	})
}

// TestBatch: fewer bytes than a batch wait for a flush.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(sink)
		q := New(s, Options{Room: 100, Batch: 8})
		go q.Run()
		write(t, q, "one\n")
		synctest.Wait()
		s.wants(t, q, 0, "")
		q.Flush()
		synctest.Wait()
		s.wants(t, q, 0, "one\n")
		write(t, q, "two\n")
		write(t, q, "three\n")
		synctest.Wait()
		s.wants(t, q, 0, "one\ntwo\nthree\n")
		q.Close(nil)
	})
}

// TestBlocked: while the destination waits, what has room waits with it, the
// rest is dropped, and a notice stands where it is missing.
func TestBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{free: make(chan struct{})}
		q := New(s, Options{Room: 10, Notice: notice})
		go q.Run()
		write(t, q, "first\n")
		synctest.Wait() // its write waits
		for _, line := range []string{"aaaa\n", "bbbb\n", "cccc\n", "dddd\n"} {
			write(t, q, line)
		}
		s.wants(t, q, 2, "")
		s.free <- struct{}{}
		synctest.Wait()
		write(t, q, "eeee\n")
		close(s.free)
		synctest.Wait()
		s.wants(t, q, 2, "first\naaaa\nbbbb\n2 missing\neeee\n")
		q.Close(nil)
	})
}

// TestCloseBlocked: a destination that waits holds an end up for two seconds.
func TestCloseBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sink{free: make(chan struct{})}
		q := New(s, Options{Room: 100})
		go q.Run()
		write(t, q, "line\n")
		began := time.Now()
		if q.Close([]byte("last\n")) || time.Since(began) != closeTimeout {
			t.Errorf("Close reports true, or comes back after %v", time.Since(began))
		}
		close(s.free)
	})
}

// TestFailing: lines whose write fails count as dropped, Failed hears of it once
// until a write succeeds, and then the notice says how many are missing.
func TestFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []error
		full := errors.New("no space left on device")
		s := new(sink)
		q := New(s, Options{Room: 100, Notice: notice, Failed: func(err error) { heard = append(heard, err) }})
		go q.Run()
		for range 2 {
			s.fails = full
			write(t, q, "lost\n")
			synctest.Wait()
			write(t, q, "lost\nlost\n")
			synctest.Wait()
			s.fails = nil
			write(t, q, "kept\n")
			synctest.Wait()
		}
		s.wants(t, q, 6, "3 missing\nkept\n3 missing\nkept\n")
		if len(heard) != 2 || !errors.Is(heard[0], full) {
			t.Errorf("Failed has heard %v, want the error twice", heard)
		}
		s.fails, s.takes = full, 5
		write(t, q, "kept\nlost\n")
		synctest.Wait()
		if q.Dropped() != 7 {
			t.Errorf("%d lines count as dropped, want 7: one of a write has gone out", q.Dropped())
		}
		q.Close(nil)
	})
}

// TestTornLine: a line of which only the beginning went out does not become a part
// of what follows.
func TestTornLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(sink)
		q := New(s, Options{Room: 100, Notice: notice})
		go q.Run()
		s.fails, s.takes = errors.New("no space left on device"), 2
		write(t, q, "lost\n")
		synctest.Wait()
		s.fails = nil
		write(t, q, "kept\n")
		synctest.Wait()
		s.wants(t, q, 1, "lo\n1 missing\nkept\n")
		q.Close(nil)
	})
}
