package gateway

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"syscall"
)

// wholly returns an error if a pattern may match more files than it gave: a
// tenant must not go because a disk or a network did not answer.
func (f *folder) wholly() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trouble
}

// miss keeps the first error of a look at what a pattern names. That nothing is
// there is an answer. The caller holds the lock.
func (f *folder) miss(name string, err error) {
	if f.trouble == nil && err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		f.trouble = fmt.Errorf("%s cannot be read: %w", name, causeOf(err))
	}
}

// listing is a folder without its own Glob.
type listing struct{ f *folder }

// Open implements fs.FS.
func (l listing) Open(name string) (fs.File, error) { return l.f.Open(name) }

// Stat implements fs.StatFS. A pattern without a wildcard is looked at by it.
func (l listing) Stat(name string) (fs.FileInfo, error) {
	info, err := l.f.Stat(name)
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	l.f.miss(name, err)
	return info, err
}

// ReadDir implements fs.ReadDirFS. A pattern of folders has it called for
// whatever lies where they do: links that lead out or to themselves and folders
// that are closed to this process are none of them, and a pipe must not be opened.
func (l listing) ReadDir(name string) ([]fs.DirEntry, error) {
	info, err := l.f.Stat(name)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "readdir", Path: name, Err: syscall.ENOTDIR}
	}
	var entries []fs.DirEntry
	if err == nil {
		entries, err = fs.ReadDir(l.f.root.FS(), name)
	}
	l.f.mu.Lock()
	defer l.f.mu.Unlock()
	l.f.seen[path.Clean(name)] = true
	if errors.As(err, new(syscall.Errno)) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.ELOOP) {
		l.f.miss(name, err)
	}
	return entries, err
}
