package gateway

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gatehouse/internal/conf"
)

// folder is the main file's folder during one load, as an [fs.FS]. Neither ".."
// nor a link leads out of it. Each file is looked at once: what is read belongs
// to one moment, and what changes later is the next load's.
type folder struct {
	memory *fileMemory
	root   *os.Root
	base   string
	now    time.Time

	mu      sync.Mutex
	infos   map[string]fs.FileInfo // of files, links followed
	seen    map[string]bool        // folders in which files were looked for
	listed  string                 // the folder that was listed last
	handle  *os.Root               // it, open; nil before the first
	trouble error                  // why Glob may have missed files; nil if it has not
}

// open opens the folder of the main file for one load.
func (m *fileMemory) open(base string) (*folder, error) {
	root, err := os.OpenRoot(base)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.files == nil {
		m.files = make(map[string]*remembered)
	}
	return &folder{
		memory: m, root: root, base: base, now: time.Now(),
		infos: make(map[string]fs.FileInfo, len(m.files)), seen: make(map[string]bool),
	}, nil
}

// close forgets what the load had no use for. It is called once, by who opened.
func (f *folder) close() {
	_ = f.root.Close() // it was only read
	if f.handle != nil {
		_ = f.handle.Close()
	}
	f.memory.sweep()
}

// folders lists where files were looked for, and where links lead: what must be
// watched.
func (f *folder) folders() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := []string{f.base}
	for dir := range f.seen {
		names = append(names, within(f.base, filepath.FromSlash(dir)))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// readOutside reads a file that the main file names itself, which may be
// anywhere.
func (f *folder) readOutside(name string) ([]byte, error) {
	f.note(filepath.Dir(name))
	return readBounded(within(f.base, name))
}

func (f *folder) note(dir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[dir] = true
}

// Open implements fs.FS. What is neither a file nor a folder is refused: to
// open a pipe would wait for whoever writes to it.
func (f *folder) Open(name string) (fs.File, error) {
	info, err := f.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return f.root.Open(name)
	case !info.Mode().IsRegular():
		return nil, notAFile(name)
	}
	if id, ok := identityOf(info); ok {
		if text, ok := f.memory.recall(name, id, f.now); ok {
			return &textFile{bytes.NewReader(text), info}, nil
		}
	}
	return f.read(name)
}

// ReadShared reads a file, no further than what the decoder takes. The text is
// shared with the memory and must not be changed.
func (f *folder) ReadShared(name string) ([]byte, error) {
	if info, err := f.Stat(name); err == nil {
		if id, ok := identityOf(info); ok {
			if text, ok := f.memory.recall(name, id, f.now); ok {
				return text, nil
			}
		}
	}
	file, err := f.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(file, conf.MaxFileBytes+1))
}

func notAFile(name string) error {
	return &fs.PathError{Op: "open", Path: name, Err: errors.New("it is not a file")}
}

// Stat implements fs.StatFS.
func (f *folder) Stat(name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrInvalid}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if info, ok := f.infos[name]; ok {
		return info, nil
	}
	dir, base := path.Split(name)
	f.seen[path.Clean(dir)] = true
	var info fs.FileInfo
	var err error
	if f.handle != nil && dir == f.listed {
		info, err = f.handle.Lstat(base) // one system call, not one for each part of the path
	} else {
		info, err = f.root.Lstat(name)
	}
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if target, err := f.root.Readlink(name); err == nil {
			f.seen[path.Dir(path.Join(path.Dir(name), filepath.ToSlash(target)))] = true
		}
		info, err = f.root.Stat(name)
	}
	if err == nil {
		f.infos[name] = info
	}
	return info, err
}

// Glob implements fs.GlobFS. It asks for names alone where it can: to list a
// folder of a root with the kinds of its files is to look at each.
func (f *folder) Glob(pattern string) ([]string, error) {
	dir, file := path.Split(pattern)
	if strings.ContainsAny(dir, `*?[\`) || !strings.ContainsAny(file, `*?[\`) {
		return fs.Glob(listing{f}, pattern)
	}
	if _, err := path.Match(file, ""); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	names, err := f.names(dir)
	f.miss(path.Clean(dir), err)
	found := slices.DeleteFunc(names, func(name string) bool {
		ok, _ := path.Match(file, name)
		return !ok
	})
	slices.Sort(found)
	f.lookAt(dir, found)
	for i, name := range found {
		found[i] = dir + name
	}
	return found, nil
}

// lookAt looks at files of the folder that was listed last, on all processors:
// ten thousand of them take one a good while. The caller holds the lock.
func (f *folder) lookAt(dir string, names []string) {
	const batch = 64
	infos := make([]fs.FileInfo, len(names))
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(names)+batch-1)/batch) {
		group.Go(func() {
			for begin := next.Add(batch) - batch; begin < int64(len(names)); begin = next.Add(batch) - batch {
				for i := begin; i < min(begin+batch, int64(len(names))); i++ {
					infos[i], _ = f.handle.Lstat(names[i]) // whoever asks for it meets the error again
				}
			}
		})
	}
	group.Wait()
	for i, info := range infos {
		if info != nil && info.Mode()&fs.ModeSymlink == 0 {
			f.infos[dir+names[i]] = info
		}
	}
}

// names lists a folder. The caller holds the lock.
func (f *folder) names(dir string) ([]string, error) {
	f.seen[path.Clean(dir)] = true
	handle, err := f.root.OpenRoot(path.Clean(dir))
	if err != nil {
		if info, statErr := f.root.Stat(path.Clean(dir)); statErr == nil && !info.IsDir() {
			return nil, nil // nothing is below a file
		}
		return nil, err
	}
	if f.handle != nil {
		_ = f.handle.Close() // it was only read
	}
	f.listed, f.handle = dir, handle
	opened, err := handle.Open(".")
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }() // it was only read
	return opened.Readdirnames(-1)
}

// read reads a file and remembers its text.
func (f *folder) read(name string) (fs.File, error) {
	readAt := time.Now()
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a pipe by now
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	id, ok := identityOf(info)
	if !info.Mode().IsRegular() {
		return nil, errors.Join(notAFile(name), file.Close())
	}
	if !ok || info.Size() > rememberedBytesMax {
		return file, nil
	}
	defer func() { _ = file.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(file, rememberedBytesMax+1))
	if err != nil {
		return nil, err
	}
	if len(text) > rememberedBytesMax { // it grew meanwhile
		return f.root.Open(name)
	}
	f.memory.keep(name, &remembered{identity: id, text: text, readAt: readAt, used: true})
	return &textFile{bytes.NewReader(text), info}, nil
}

// textFile is a file whose text is in memory.
type textFile struct {
	*bytes.Reader
	info fs.FileInfo
}

// Stat returns what the system said when the file was looked at.
func (t *textFile) Stat() (fs.FileInfo, error) { return t.info, nil }

// Close has nothing to give back.
func (*textFile) Close() error { return nil }
