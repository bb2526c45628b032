package file

import (
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/store"
)

// faultyDisk fails its call number failAt, counted from 0; a write that fails
// leaves half of its bytes, as a full disk does. With dead it fails all calls
// from there on: the machine has stopped, and nobody tidies up.
type faultyDisk struct {
	disk
	failAt int
	dead   bool
	calls  int
}

func (d *faultyDisk) fails() bool {
	call := d.calls
	d.calls++
	return call == d.failAt || d.dead && call > d.failAt
}

func (d *faultyDisk) stat(name string) (fs.FileInfo, error) {
	if d.fails() {
		return nil, syscall.EIO
	}
	return d.disk.stat(name)
}

func (d *faultyDisk) read(name string, limit int) ([]byte, error) {
	if d.fails() {
		return nil, syscall.EIO
	}
	return d.disk.read(name, limit)
}

func (d *faultyDisk) entries(name string) ([]fs.DirEntry, error) {
	if d.fails() {
		return nil, syscall.EIO
	}
	return d.disk.entries(name)
}

func (d *faultyDisk) mkdir(name string) error {
	if d.fails() {
		return syscall.ENOSPC
	}
	return d.disk.mkdir(name)
}

func (d *faultyDisk) write(name string, value []byte) error {
	dead := d.dead && d.calls > d.failAt
	if d.fails() {
		if !dead {
			d.disk.write(name, value[:len(value)/2])
		}
		return syscall.ENOSPC
	}
	return d.disk.write(name, value)
}

func (d *faultyDisk) rename(from, to string) error {
	if d.fails() {
		return syscall.EIO
	}
	return d.disk.rename(from, to)
}

func (d *faultyDisk) remove(name string) error {
	if d.fails() {
		return syscall.EIO
	}
	return d.disk.remove(name)
}

func (d *faultyDisk) syncDir(name string) error {
	if d.fails() {
		return syscall.EIO
	}
	return d.disk.syncDir(name)
}

// TestEveryCallFailsOnce lets each call to the disk fail in turn, and the
// machine die at each call in turn, through a sequence of changes.
func TestEveryCallFailsOnce(t *testing.T) {
	for _, change := range []struct {
		name string
		run  func(s *Store, t *testing.T) error
		want map[string][]string // by key: what it may hold afterwards; "-" is absent
		done map[string]string   // by key: what it holds where run returned nil
	}{
		{
			"put over a value",
			func(s *Store, t *testing.T) error { return s.Put(t.Context(), "a/old", []byte("new value")) },
			map[string][]string{"a/old": {"old value", "new value"}},
			map[string]string{"a/old": "new value"},
		},
		{
			"put in a new folder",
			func(s *Store, t *testing.T) error { return s.Put(t.Context(), "b/c/d", []byte("new value")) },
			map[string][]string{"b/c/d": {"-", "new value"}},
			map[string]string{"b/c/d": "new value"},
		},
		{
			"delete",
			func(s *Store, t *testing.T) error { return s.Delete(t.Context(), "a/old") },
			map[string][]string{"a/old": {"old value", "-"}},
			map[string]string{"a/old": "-"},
		},
		{
			"set aside",
			func(s *Store, t *testing.T) error { _, err := s.SetAside(t.Context(), "a/old"); return err },
			map[string][]string{"a/old": {"old value", "-"}},
			map[string]string{"a/old": "-"},
		},
		{
			"list",
			func(s *Store, t *testing.T) error { _, err := s.List(t.Context(), ""); return err },
			nil, nil,
		},
	} {
		t.Run(change.name, func(t *testing.T) {
			for _, dead := range []bool{false, true} {
				for failAt := 0; ; failAt++ {
					dir, calls, err := runFaulty(t, failAt, dead, change.run)
					holds := contents(t, dir)
					for key, want := range change.done {
						if allowed := change.want[key]; !slices.Contains(allowed, holds[key]) || err == nil && holds[key] != want {
							t.Errorf("call %d fails, dead %v: %v was returned and %q holds %q; want one of %q, with nil %q", failAt, dead, err, key, holds[key], allowed, want)
						}
					}
					if holds["a/neighbour"] != "neighbour" {
						t.Errorf("call %d fails, dead %v: the neighbour holds %q", failAt, dead, holds["a/neighbour"])
					}
					if calls <= failAt {
						break
					}
				}
			}
		})
	}
}

// runFaulty prepares a state, runs change on a disk that fails, and closes.
func runFaulty(t *testing.T, failAt int, dead bool, change func(*Store, *testing.T) error) (string, int, error) {
	t.Helper()
	dir := t.TempDir()
	s := openHere(t, dir)
	for key, value := range map[string]string{"a/old": "old value", "a/neighbour": "neighbour"} {
		if err := s.Put(t.Context(), key, []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	faulty := &faultyDisk{disk: s.disk, failAt: failAt, dead: dead}
	s.disk = faulty
	err := change(s, t)
	if errors.Is(err, store.ErrDamaged) || errors.Is(err, store.ErrNotFound) {
		t.Errorf("call %d fails: %v, which is no fault of the blob", failAt, err)
	}
	if err != nil && !strings.Contains(err.Error(), dir) {
		t.Errorf("call %d fails: %q does not name the state", failAt, err)
	}
	s.Close()
	return dir, faulty.calls, err
}

// contents opens the state anew and reads the keys that the changes touch.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	s := openHere(t, dir)
	defer s.Close()
	holds := make(map[string]string)
	for _, key := range []string{"a/old", "a/neighbour", "b/c/d"} {
		value, err := s.Get(t.Context(), key)
		switch {
		case errors.Is(err, store.ErrNotFound):
			holds[key] = "-"
		case err != nil:
			t.Errorf("Get(%q): %v", key, err)
		default:
			holds[key] = string(value)
		}
	}
	if left, err := s.disk.entries(tempDir); err != nil || len(left) > 0 {
		t.Errorf("temp holds %v, %v", left, err)
	}
	return holds
}

// TestFullDisk: a Put without room says so, keeps the former value and gives
// the space back at once.
func TestFullDisk(t *testing.T) {
	s := openHere(t, t.TempDir())
	defer s.Close()
	if err := s.Put(t.Context(), "k", []byte("old value")); err != nil {
		t.Fatal(err)
	}
	whole := s.disk
	s.disk = &faultyDisk{disk: whole, failAt: 0}
	err := s.Put(t.Context(), "k", []byte("new value"))
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), `put "k": no space left on device; the former value stays`) {
		t.Errorf("Put = %v, want a word about space and the former value", err)
	}
	s.disk = whole
	if left, err := whole.entries(tempDir); err != nil || len(left) > 0 {
		t.Errorf("temp holds %v, %v", left, err)
	}
	if value, err := s.Get(t.Context(), "k"); err != nil || string(value) != "old value" {
		t.Errorf("Get = %q, %v; want the old value", value, err)
	}
}

func openHere(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}
