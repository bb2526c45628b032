package file_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/store"
	"gatehouse/internal/store/file"
	"gatehouse/internal/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir()) })
}

func TestSealedStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		key := bytes.Repeat([]byte("k1"), store.KeyBytes/2)
		s, err := store.Seal(open(t, t.TempDir()), key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "two", "levels")
	s := open(t, dir)
	put(t, s, "a/b", "value")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := get(t, open(t, dir), "a/b"); got != "value" {
		t.Errorf("Get after reopening = %q, want value", got)
	}
}

// A folder that holds other things is somebody else's, /tmp by mistake for one:
// to close it to others would take it from them.
func TestForeignFolderKeepsItsMode(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "else"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	for range 2 {
		s, err := file.Open(dir, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v, want 0755 still", info.Mode().Perm(), err)
	}
	if got := strings.Count(log.String(), "open to other users"); got != 2 {
		t.Errorf("%d warnings, want 2:\n%s", got, log.String())
	}
}

func TestModes(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, dir), "a/b", "value")
	for name, want := range map[string]fs.FileMode{
		".": 0o700, "lock": 0o600, "blobs": 0o700, "temp": 0o700, "damaged": 0o700, "blobs/a": 0o700, "blobs/a/b~": 0o600,
	} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", name, info.Mode().Perm(), err, want)
		}
	}
}

func TestClosed(t *testing.T) {
	s := open(t, t.TempDir())
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	_, getErr := s.Get(t.Context(), "k")
	_, listErr := s.List(t.Context(), "")
	_, asideErr := s.SetAside(t.Context(), "k")
	for method, err := range map[string]error{
		"Get": getErr, "Put": s.Put(t.Context(), "k", nil), "Delete": s.Delete(t.Context(), "k"), "List": listErr, "SetAside": asideErr,
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s = %v, want ErrClosed", method, err)
		}
	}
}

func TestUnfinishedWritesGoAtOpen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "k", "v")
	s.Close()
	write(t, filepath.Join(dir, "temp", "7"), "half a val")
	write(t, filepath.Join(dir, "not-ours"), "stays")
	s = open(t, dir)
	if left := entries(t, filepath.Join(dir, "temp")); len(left) != 0 {
		t.Errorf("temp holds %q", left)
	}
	if got := get(t, s, "k"); got != "v" {
		t.Errorf("Get = %q, want v", got)
	}
	if _, err := os.Stat(filepath.Join(dir, "not-ours")); err != nil {
		t.Errorf("a file that is not the store's went: %v", err)
	}
}

func TestForeignFilesAreNoKeys(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a/b", "v")
	for _, name := range []string{"README", "a/core", "a/UPPER~", "a/~", "a/..~"} {
		write(t, filepath.Join(dir, "blobs", name), "x")
	}
	keys, err := s.List(t.Context(), "")
	if err != nil || len(keys) != 1 || keys[0] != "a/b" {
		t.Errorf("List = %q, %v; want a/b alone", keys, err)
	}
}

func TestLinksAreNotFollowed(t *testing.T) {
	outside := t.TempDir()
	write(t, filepath.Join(outside, "secret~"), "outside")
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "real/secret", "inside")
	for link, target := range map[string]string{
		"blobs/out~": filepath.Join(outside, "secret~"), "blobs/in~": "real/secret~", "blobs/dangling~": "nowhere",
		"blobs/outdir": outside, "blobs/indir": "real",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"out", "in", "dangling"} {
		if _, err := s.Get(t.Context(), key); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("Get(%q) = %v, want ErrDamaged", key, err)
		}
		if _, err := s.SetAside(t.Context(), key); err != nil {
			t.Errorf("SetAside(%q) = %v", key, err)
		}
		put(t, s, key, "new")
	}
	for _, key := range []string{"outdir/secret", "indir/secret"} {
		_, getErr := s.Get(t.Context(), key)
		_, asideErr := s.SetAside(t.Context(), key)
		for method, err := range map[string]error{
			"Get": getErr, "Put": s.Put(t.Context(), key, []byte("x")), "Delete": s.Delete(t.Context(), key), "SetAside": asideErr,
		} {
			if err == nil || !strings.Contains(err.Error(), "symbolic link") {
				t.Errorf("%s(%q) = %v, want a word about the link", method, key, err)
			}
		}
	}
	if text, err := os.ReadFile(filepath.Join(outside, "secret~")); err != nil || string(text) != "outside" {
		t.Errorf("the file outside is %q, %v", text, err)
	}
	if got := get(t, s, "real/secret"); got != "inside" {
		t.Errorf("the file inside is %q", got)
	}
}

func TestLinkedFoldersStopOpen(t *testing.T) {
	for _, name := range []string{"lock", "blobs", "temp", "damaged"} {
		dir, elsewhere := t.TempDir(), t.TempDir()
		if err := os.Symlink(elsewhere, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if s, err := file.Open(dir, discard()); err == nil {
			s.Close()
			t.Errorf("Open with a link in the place of %s succeeds", name)
		}
	}
}

func TestStateMayBeReachedByALink(t *testing.T) {
	target := t.TempDir()
	link := filepath.Join(t.TempDir(), "gatehouse")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, link), "k", "v")
	if _, err := os.Stat(filepath.Join(target, "blobs", "k~")); err != nil {
		t.Error(err)
	}
}

func TestOpenOnAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	write(t, path, "")
	if _, err := file.Open(path, discard()); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Open = %v, want an error naming %s", err, path)
	}
}

func TestTooLargeOnDisk(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "k", "v")
	if err := os.Truncate(filepath.Join(dir, "blobs", "k~"), 1<<40); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("Get = %v, want ErrDamaged", err)
	}
}

func TestSetAsideKeepsABoundedNumber(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var names []string
	for range 40 {
		put(t, s, "ca/root", "wreck")
		name, err := s.SetAside(t.Context(), "ca/root")
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	kept := entries(t, filepath.Join(dir, "damaged"))
	if len(kept) != 32 {
		t.Errorf("%d blobs kept, want 32", len(kept))
	}
	for _, name := range names[8:] {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != "wreck" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if !strings.HasPrefix(names[0], "damaged/ca+root-20") {
		t.Errorf("name %q does not name the key and the time", names[0])
	}
}

func TestEmptyFoldersGo(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a/b/c", "v")
	put(t, s, "a/d", "v")
	if err := s.Delete(t.Context(), "a/b/c"); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, filepath.Join(dir, "blobs", "a")); len(got) != 1 {
		t.Errorf("a holds %q, want d~ alone", got)
	}
	if err := s.Delete(t.Context(), "a/d"); err != nil {
		t.Fatal(err)
	}
	if got := entries(t, filepath.Join(dir, "blobs")); len(got) != 0 {
		t.Errorf("blobs holds %q", got)
	}
}

func FuzzKeysOnDisk(f *testing.F) {
	for _, seed := range []string{"a", "a/b", "*.acme.example", "../../etc/passwd", "a/./b", "..a/.b.", "-rf", "a~"} {
		f.Add(seed)
	}
	dir := f.TempDir()
	s, err := file.Open(dir, discard())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, key string) {
		err := s.Put(t.Context(), key, []byte(key))
		if errors.Is(err, store.ErrKey) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := get(t, s, key); got != key {
			t.Fatalf("Get(%q) = %q", key, got)
		}
		if keys, err := s.List(t.Context(), key); err != nil || len(keys) != 1 || keys[0] != key {
			t.Fatalf("List(%q) = %q, %v", key, keys, err)
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if left := entries(t, filepath.Join(dir, "blobs")); len(left) != 0 {
			t.Fatalf("after deleting %q there is %q", key, left)
		}
	})
}

func BenchmarkPut(b *testing.B) {
	s, err := file.Open(b.TempDir(), discard())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	value := make([]byte, 4096)
	for b.Loop() {
		if err := s.Put(b.Context(), "ca/leaves/00", value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	s, err := file.Open(b.TempDir(), discard())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Put(b.Context(), "ca/leaves/00", make([]byte, 4096)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Get(b.Context(), "ca/leaves/00"); err != nil {
			b.Fatal(err)
		}
	}
}

func open(t *testing.T, dir string) *file.Store {
	t.Helper()
	s, err := file.Open(dir, discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func put(t *testing.T, s store.Store, key, value string) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, s store.Store, key string) string {
	t.Helper()
	value, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range list {
		names = append(names, entry.Name())
	}
	return names
}
