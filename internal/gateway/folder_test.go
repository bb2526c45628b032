package gateway

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
)

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

// TestFolderThatCannotBeListed: what is not there is no file, and what cannot be
// asked for may be files that were missed.
func TestFolderThatCannotBeListed(t *testing.T) {
	dir := tree(t, "t/a.yaml", "", "file", "")
	must(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	must(t, os.Symlink(t.TempDir(), filepath.Join(dir, "away")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	for pattern, want := range map[string]string{
		"t/*.yaml":      "",
		"none/*.yaml":   "",
		"none.yaml":     "",
		"file/*.yaml":   "",
		"[tfpa]*/*":     "",
		"loop/*.yaml":   "loop cannot be read: too many levels of symbolic links",
		"loop/acme":     "loop/acme cannot be read: too many levels of symbolic links",
		"l*/*.yaml":     "",
		"*/a.yaml":      "",
		"away/a*.yaml":  "away cannot be read: path escapes from parent",
		"away/acme.yml": "away/acme.yml cannot be read: path escapes from parent",
	} {
		var m fileMemory
		f, err := m.open(dir)
		must(t, err)
		_, err = fs.Glob(f, pattern)
		must(t, err)
		got := ""
		if err := f.wholly(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
		f.close()
	}
}
