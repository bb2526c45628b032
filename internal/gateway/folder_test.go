package gateway

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

// aged makes everything that is remembered look as if it had been read long
// after it was written, as it is when an operator edits an old tree.
func (m *fileMemory) aged() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.files {
		r.readAt = r.identity.changed().Add(settledAge)
	}
}

// readAll reads files by one load of their folder, and says which of them were
// read from the disk and not from memory.
func readAll(t *testing.T, m *fileMemory, dir string, names ...string) (texts map[string]string, read []string) {
	t.Helper()
	f, err := m.open(dir)
	must(t, err)
	defer f.close()
	texts = make(map[string]string)
	before := make(map[string]*remembered)
	for _, name := range names {
		before[name] = m.files[name]
		file, err := f.Open(name)
		if err != nil {
			texts[name] = "error: " + err.Error()
			continue
		}
		text, err := io.ReadAll(file)
		must(t, err)
		must(t, file.Close())
		texts[name] = string(text)
		if m.files[name] != before[name] || before[name] == nil {
			read = append(read, name)
		}
	}
	return texts, read
}

// TestMemory: a file is read again when anything about it changed, when it is
// young, and not otherwise.
func TestMemory(t *testing.T) {
	dir := tree(t, "a", "one", "b", "one")
	var m fileMemory
	want := func(when, a string, wantRead ...string) {
		t.Helper()
		texts, read := readAll(t, &m, dir, "a", "b")
		if texts["a"] != a || texts["b"] != "one" {
			t.Errorf("%s: %q", when, texts)
		}
		if !slices.Equal(read, wantRead) {
			t.Errorf("%s: read %q, want %q", when, read, wantRead)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "a"))
	must(t, err)

	want("the first time", "one", "a", "b")
	want("young files", "one", "a", "b")
	m.aged()
	want("old files", "one")
	put(t, dir, "a", "two")
	want("written", "two", "a")
	m.aged()
	put(t, dir, "a", "SIX")
	must(t, os.Chtimes(filepath.Join(dir, "a"), time.Time{}, info.ModTime()))
	want("written to the same size with its time put back", "SIX", "a")
	m.aged()
	put(t, dir, "new", "ten")
	must(t, os.Chtimes(filepath.Join(dir, "new"), time.Time{}, info.ModTime()))
	must(t, os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "a")))
	want("another file in its place", "ten", "a")
	m.aged()
	want("at rest", "ten")
	for _, r := range m.files {
		r.readAt = time.Now().Add(-rememberedTime)
	}
	want("after a while", "ten", "a", "b")
}

// TestMemoryForgets: what a load did not ask for is forgotten, so that the
// memory is as large as the tree.
func TestMemoryForgets(t *testing.T) {
	dir := tree(t, "a", "one", "b", "two")
	var m fileMemory
	readAll(t, &m, dir, "a", "b")
	readAll(t, &m, dir, "b")
	if len(m.files) != 1 || m.files["b"] == nil {
		t.Errorf("remembered: %d files, want b alone", len(m.files))
	}
	must(t, os.Remove(filepath.Join(dir, "b")))
	if texts, _ := readAll(t, &m, dir, "b"); !strings.Contains(texts["b"], "no such file") {
		t.Errorf("a removed file is %q", texts["b"])
	}
	if len(m.files) != 0 {
		t.Error("a removed file is remembered")
	}
}

// TestMemoryFollowsSwaps: behind a link that was turned lies another file.
func TestMemoryFollowsSwaps(t *testing.T) {
	dir := tree(t, "..1/a", "one", "..2/a", "two")
	must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	must(t, os.Symlink("..data/a", filepath.Join(dir, "a")))
	var m fileMemory
	readAll(t, &m, dir, "a")
	m.aged()
	if texts, read := readAll(t, &m, dir, "a"); texts["a"] != "one" || read != nil {
		t.Errorf("before the swap: %q, read %q", texts, read)
	}
	must(t, os.Symlink("..2", filepath.Join(dir, "turning")))
	must(t, os.Rename(filepath.Join(dir, "turning"), filepath.Join(dir, "..data")))
	if texts, _ := readAll(t, &m, dir, "a"); texts["a"] != "two" {
		t.Errorf("after the swap: %q", texts)
	}
}

// TestFolderIsOneMoment: during one load a file is looked at once.
func TestFolderIsOneMoment(t *testing.T) {
	dir := tree(t, "t/a.yaml", "one")
	var m fileMemory
	readAll(t, &m, dir, "t/a.yaml")
	m.aged()
	f, err := m.open(dir)
	must(t, err)
	defer f.close()
	found, err := fs.Glob(f, "t/*.yaml")
	if err != nil || !slices.Equal(found, []string{"t/a.yaml"}) {
		t.Fatalf("Glob = %q, %v", found, err)
	}
	_, err = fs.Stat(f, "t/a.yaml")
	must(t, err)
	put(t, dir, "t/a.yaml", "longer")
	if text, err := fs.ReadFile(f, "t/a.yaml"); string(text) != "one" || err != nil {
		t.Errorf("read %q, %v, want what was there when it was looked at", text, err)
	}
}

// TestFolderStaysInside: neither ".." nor a link leads out, and what is not a
// file is not opened: to read a pipe would wait for a writer.
func TestFolderStaysInside(t *testing.T) {
	outside := tree(t, "secret", "x")
	dir := tree(t, "a", "x", "sub/b", "x")
	must(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "absolute")))
	must(t, os.Symlink("../../"+filepath.Base(outside)+"/secret", filepath.Join(dir, "relative")))
	must(t, os.Symlink(outside, filepath.Join(dir, "away")))
	must(t, os.Symlink("sub/b", filepath.Join(dir, "inside")))
	must(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	var m fileMemory
	texts, _ := readAll(t, &m, dir, "a", "sub/b", "inside", "absolute", "relative", "away/secret", "loop", "pipe", "../a", "/etc/passwd", "absent")
	for name, text := range texts {
		switch name {
		case "a", "sub/b", "inside":
			if text != "x" {
				t.Errorf("%s is %q", name, text)
			}
		default:
			if !strings.HasPrefix(text, "error: ") {
				t.Errorf("%s is readable", name)
			}
		}
	}
	wantContains(t, texts["pipe"], "it is not a file")
}

// TestFolderIsAnFS: it keeps to the contract of fs.FS.
func TestFolderIsAnFS(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", "version: 1", "tenants/acme.yaml", "", "tenants/deep/er.yaml", "x")
	var m fileMemory
	for range 2 {
		f, err := m.open(dir)
		must(t, err)
		if err := fstest.TestFS(f, "gatehouse.yaml", "tenants/acme.yaml", "tenants/deep/er.yaml"); err != nil {
			t.Error(err)
		}
		f.close()
		m.aged()
	}
}

// TestGlob agrees with the standard library's.
func TestGlob(t *testing.T) {
	dir := tree(t, "main.yaml", "", "t/b.yaml", "", "t/a.yaml", "", "t/c.yml", "", "t/.hidden.yaml", "", "u/a.yaml", "", "t/sub/d.yaml", "")
	must(t, os.Symlink("../u/a.yaml", filepath.Join(dir, "t/link.yaml")))
	var m fileMemory
	f, err := m.open(dir)
	must(t, err)
	defer f.close()
	for _, pattern := range []string{
		"*.yaml", "t/*.yaml", "t/*", "t/a.yaml", "t/[ab].yaml", "*/a.yaml", "?/*.yaml", "none/*.yaml", "t/*/d.yaml", "t/sub/*", "*", "t/none.yaml",
		"t/[", "[", "t/a.yaml/*", "t/\\*.yaml",
	} {
		want, wantErr := fs.Glob(os.DirFS(dir), pattern)
		got, err := fs.Glob(f, pattern)
		if !slices.Equal(got, want) || (err == nil) != (wantErr == nil) {
			t.Errorf("Glob(%q) = %q, %v, want %q, %v", pattern, got, err, want, wantErr)
		}
	}
}

// TestFolders: what was looked at is watched, with what is not there yet and
// with where links lead.
func TestFolders(t *testing.T) {
	dir := tree(t, "available/a.yaml", "", "enabled/x", "", "tenants/b.yaml", "")
	must(t, os.Symlink("../available/a.yaml", filepath.Join(dir, "enabled/a.yaml")))
	var m fileMemory
	f, err := m.open(dir)
	must(t, err)
	defer f.close()
	for _, pattern := range []string{"enabled/*.yaml", "*/b.yaml", "coming/*.yaml"} {
		found, err := fs.Glob(f, pattern)
		must(t, err)
		for _, name := range found {
			_, err := fs.Stat(f, name)
			must(t, err)
		}
	}
	_, _ = f.Open("ca/acme.pem")
	_, _ = f.readOutside("/nowhere/cert.pem")
	got := f.folders()
	for _, want := range []string{"", "available", "ca", "coming", "enabled", "tenants"} {
		if !slices.Contains(got, filepath.Join(dir, want)) {
			t.Errorf("%q is not watched: %q", want, got)
		}
	}
	if !slices.Contains(got, "/nowhere") {
		t.Errorf("the folder outside is not watched: %q", got)
	}
}

// TestLargeFiles are read and not remembered.
func TestLargeFiles(t *testing.T) {
	large := strings.Repeat("x", rememberedBytesMax+1)
	dir := tree(t, "large", large, "largest", large[1:])
	var m fileMemory
	texts, _ := readAll(t, &m, dir, "large", "largest")
	if texts["large"] != large || texts["largest"] != large[1:] {
		t.Errorf("read %d and %d bytes", len(texts["large"]), len(texts["largest"]))
	}
	if m.files["large"] != nil || m.files["largest"] == nil {
		t.Error("what is remembered is not what is small enough")
	}
}
