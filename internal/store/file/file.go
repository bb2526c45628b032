package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"gatehouse/internal/store"
)

// The names in the directory; see the package comment.
const (
	lockName   = "lock"
	blobsDir   = "blobs"
	tempDir    = "temp"
	damagedDir = "damaged"
)

const (
	dirMode  fs.FileMode = 0o700
	fileMode fs.FileMode = 0o600
)

// Store is a store.Store in a directory. It is made by Open.
type Store struct {
	dir  string
	log  *slog.Logger
	disk disk
	lock *os.File

	// open is held for reading by every operation and for writing by Close,
	// which so waits for those under way.
	open   sync.RWMutex
	closed bool

	// writing makes changes of names one at a time. Readers do not wait for it,
	// and neither does what is slow about a write: that its bytes reach the disk.
	writing sync.Mutex
	temps   atomic.Uint64 // counts temporary files, which so have names of their own
}

// Open opens the store in dir, making the directory where it is missing. The
// store is this process's alone until Close: where another one has it open,
// the error matches ErrLocked and is a *LockedError.
func Open(dir string, log *slog.Logger) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", dir, err)
	}
	if err := makeDir(dir); err != nil {
		return nil, fmt.Errorf("state %s: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("state %s: %w", dir, err)
	}
	lock, err := takeLock(root, dir)
	if err != nil {
		root.Close()
		return nil, err
	}
	warnOfOpenMode(root, dir, log)
	s := &Store{dir: dir, log: log, disk: rootDisk{root}, lock: lock}
	if err := s.prepare(); err != nil {
		s.Close()
		return nil, fmt.Errorf("state %s: %w", dir, err)
	}
	return s, nil
}

// Dir returns the directory, absolute.
func (s *Store) Dir() string { return s.dir }

// Close waits for operations under way, then gives up the lock. Operations
// afterwards return store.ErrClosed; a second Close does nothing.
func (s *Store) Close() error {
	s.open.Lock()
	defer s.open.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	// The lock goes last: whoever takes it finds us done with the disk.
	return errors.Join(s.disk.close(), s.lock.Close())
}

// prepare makes the directories and removes what a killed process left.
func (s *Store) prepare() error {
	for _, name := range []string{blobsDir, tempDir, damagedDir} {
		if err := s.ensureDir(name); err != nil {
			return err
		}
	}
	left, err := s.disk.entries(tempDir)
	if err != nil {
		return err
	}
	for _, entry := range left {
		if err := s.disk.remove(tempDir + "/" + entry.Name()); err != nil {
			return err
		}
	}
	if len(left) > 0 {
		s.log.Info("removed unfinished writes of a former process", "state", s.dir, "files", len(left))
	}
	return nil
}

// ensureDir makes the directory name, whose parent exists, durably.
func (s *Store) ensureDir(name string) error {
	info, err := s.disk.stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := s.disk.mkdir(name); err != nil {
			return err
		}
		err := s.disk.syncDir(filepath.Dir(name))
		if err != nil {
			// The next caller must not find it there and take it for durable.
			s.disk.remove(name)
		}
		return err
	case err != nil:
		return err
	}
	return mustBeDir(name, info)
}

func mustBeDir(name string, info fs.FileInfo) error {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link; links inside the state are not followed", name)
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", name)
	}
	return nil
}

// begin starts an operation; where it returns nil the caller calls s.end.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.open.RLock()
	if s.closed {
		s.open.RUnlock()
		return fmt.Errorf("state %s: %w", s.dir, store.ErrClosed)
	}
	return nil
}

func (s *Store) end() { s.open.RUnlock() }

// makeDir makes dir and what is missing above it, and syncs each parent that
// got an entry, so that the state itself outlives a power loss.
func makeDir(dir string) error {
	err := os.Mkdir(dir, dirMode)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
		if err := makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, dirMode)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil // whether it is a directory, OpenRoot says
	case err != nil:
		return err
	}
	parent, err := os.OpenRoot(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer parent.Close()
	return rootDisk{parent}.syncDir(".")
}

// warnOfOpenMode tightens a new directory that others may enter, and warns
// where it is not ours to tighten: a mounted volume, or a folder that holds
// other things. Values lie in directories of mode 0700 below it in any case.
func warnOfOpenMode(root *os.Root, dir string, log *slog.Logger) {
	info, err := root.Stat(".")
	if err != nil || info.Mode().Perm()&^dirMode == 0 {
		return
	}
	if !isNew(root) || root.Chmod(".", dirMode) != nil {
		log.Warn("the state directory is open to other users of this machine; give it a folder of its own with mode 0700",
			"state", dir, "mode", info.Mode().Perm().String())
	}
}

// isNew reports whether nothing but our lock is in the directory.
func isNew(root *os.Root) bool {
	entries, err := fs.ReadDir(root.FS(), ".")
	return err == nil && len(entries) == 1 && entries[0].Name() == lockName
}
