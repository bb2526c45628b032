package gateway

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
