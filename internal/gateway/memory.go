package gateway

import (
	"io/fs"
	"maps"
	"sync"
	"syscall"
	"time"
)

const (
	// settledAge is how old a file must have been when it was read for its text
	// to be remembered: within one tick of the file system's clock it can be
	// written twice and look the same. Two seconds is the coarsest tick in use
	// (FAT); most have nanoseconds.
	settledAge = 2 * time.Second
	// rememberedTime is how long a text is believed without a look at the file:
	// whatever changes a file without changing what stat says is seen after it.
	rememberedTime = 5 * time.Minute
	// rememberedBytesMax bounds a text that is remembered. Tenant files are far
	// below it; of larger ones there are few, and they are read each time.
	rememberedBytesMax = 64 << 10
)

// fileMemory remembers what files held, so that a reload of ten thousand
// tenants of which one changed reads one file and asks the system about the
// others. A text counts as long as size, times and inode stay the same.
type fileMemory struct {
	mu    sync.Mutex
	files map[string]*remembered // by path below the main file's folder
}

// remembered is the text of one file as it was read once.
type remembered struct {
	identity identity
	text     []byte
	readAt   time.Time // before the first byte
	used     bool      // in the load at hand
}

// identity tells one content of a file from another. ctime cannot be set by
// programs, so a file that was put back with its old mtime differs, too.
type identity struct {
	device, inode uint64
	size          int64
	mtime, ctime  syscall.Timespec
}

// identityOf returns the identity of a file; ok is false where the system does
// not tell.
func identityOf(info fs.FileInfo) (id identity, ok bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}, false
	}
	return identity{uint64(s.Dev), s.Ino, s.Size, s.Mtim, s.Ctim}, true
}

// changed returns when the file was last written or put in place.
func (i identity) changed() time.Time {
	return time.Unix(0, max(i.mtime.Nano(), i.ctime.Nano()))
}

// counts reports whether the text is that of a file which is id now.
func (r *remembered) counts(id identity, now time.Time) bool {
	return r.identity == id && r.readAt.Sub(id.changed()) >= settledAge && now.Sub(r.readAt) < rememberedTime
}

// recall returns the text of a file if it counts.
func (m *fileMemory) recall(name string, id identity, now time.Time) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.files[name]
	if r == nil || !r.counts(id, now) {
		return nil, false
	}
	r.used = true
	return r.text, true
}

func (m *fileMemory) keep(name string, r *remembered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name] = r
}

// sweep forgets what the load that ends had no use for.
func (m *fileMemory) sweep() {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.files, func(_ string, r *remembered) bool { return !r.used })
	for _, r := range m.files {
		r.used = false
	}
}
