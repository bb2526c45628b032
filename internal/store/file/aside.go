package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"gatehouse/internal/store"
)

const (
	// maxAside bounds the blobs in damaged/: one for each kind of state, some
	// times over. A disk that damages more than that has the operator's
	// attention, and must not be filled by its own wreckage.
	maxAside = 32

	// maxAsideKey bounds what of a key goes into the name in damaged/, so
	// that the name with its time stays below NAME_MAX (255).
	maxAsideKey = 200

	// asideTime sorts by name as by time and contains nothing that a shell
	// or another system's file names mind.
	asideTime = "20060102T150405.000000000Z"
)

// SetAside implements store.Store. The name is that of a file below the state's
// directory: damaged/KEY-TIME, with each slash of the key a plus.
func (s *Store) SetAside(ctx context.Context, key string) (string, error) {
	if err := store.CheckKey(key); err != nil {
		return "", err
	}
	if err := s.begin(ctx); err != nil {
		return "", err
	}
	defer s.end()
	s.writing.Lock()
	defer s.writing.Unlock()
	name, err := s.moveAside(key)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%q: %w", key, store.ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("state %s: set %q aside: %w", s.dir, key, err)
	}
	s.dropOldest()
	return name, nil
}

func (s *Store) moveAside(key string) (string, error) {
	from, err := s.locate(key)
	if err != nil {
		return "", err
	}
	if _, err := s.disk.stat(from); err != nil {
		return "", err
	}
	to, err := s.asideName(key)
	if err != nil {
		return "", err
	}
	if err := s.disk.rename(from, to); err != nil {
		return "", err
	}
	if err := s.disk.syncDir(damagedDir); err != nil {
		return "", err
	}
	if err := s.disk.syncDir(path.Dir(from)); err != nil {
		return "", err
	}
	s.prune(from)
	return to, nil
}

// asideName returns a name that is not taken; the time moves on where the
// clock of the machine does not.
func (s *Store) asideName(key string) (string, error) {
	flat := strings.ReplaceAll(key, "/", "+")
	flat = flat[:min(len(flat), maxAsideKey)]
	for at := time.Now().UTC(); ; at = at.Add(time.Nanosecond) {
		name := damagedDir + "/" + flat + "-" + at.Format(asideTime)
		_, err := s.disk.stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
	}
}

// dropOldest keeps damaged/ bounded. That it cannot remove something is no
// reason to refuse setting aside, so it only says so.
func (s *Store) dropOldest() {
	entries, err := s.disk.entries(damagedDir)
	if err != nil {
		s.log.Warn("damaged state is not counted", "state", s.dir, "cause", err)
		return
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(stamp(a.Name()), stamp(b.Name())) })
	for _, entry := range entries[:max(0, len(entries)-maxAside)] {
		name := damagedDir + "/" + entry.Name()
		if err := s.disk.remove(name); err != nil {
			s.log.Warn("old damaged state stays", "state", s.dir, "file", name, "cause", err)
			continue
		}
		s.log.Info("removed the oldest damaged state", "state", s.dir, "file", name, "kept", maxAside)
	}
}

// stamp returns the time in a name of damaged/.
func stamp(name string) string {
	return name[max(0, len(name)-len(asideTime)):]
}
