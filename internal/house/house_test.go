package house

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// judges are the laws, by the name under which the tests run.
var judges = map[string]func(*tree) []finding{
	"imports":      imports,
	"yaml":         yamlStops,
	"dependencies": dependencies,
	"sizes":        sizes,
	"names":        names,
	"unfinished":   unfinished,
	"package docs": packageDocs,
	"exported":     exportedDocs,
	"inits":        inits,
	"sleeps":       sleeps,
	"globals":      globals,
	"bounds":       bounds,
}

// TestHouse holds this repository to its laws.
func TestHouse(t *testing.T) {
	tr := load(t, os.DirFS("../.."))
	for name, judge := range judges {
		t.Run(name, func(t *testing.T) {
			found := judge(tr)
			sortFindings(found)
			for _, f := range found {
				t.Error(f)
			}
		})
	}
}

// TestArchives shows each law broken, and the words that say so.
func TestArchives(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			fsys, want := repository(t, archive)
			tr := load(t, fsys)
			var found []finding
			for _, judge := range judges {
				found = append(found, judge(tr)...)
			}
			sortFindings(found)
			var got strings.Builder
			for _, f := range found {
				got.WriteString(f.String() + "\n")
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Errorf("findings differ (-want +got):\n%s", diff)
			}
		})
	}
}

// repository makes a module of an archive. What it does not bring itself is this repository's own.
func repository(t *testing.T, archive *txtar.Archive) (fs.FS, string) {
	t.Helper()
	fsys := fstest.MapFS{
		"go.mod":               {Data: []byte("module gatehouse\n")},
		"docs/dependencies.md": {Data: nil},
	}
	own, err := os.ReadFile("laws.txt")
	if err != nil {
		t.Fatal(err)
	}
	fsys["internal/house/laws.txt"] = &fstest.MapFile{Data: own}
	want := ""
	for _, f := range archive.Files {
		if f.Name == "want" {
			want = string(f.Data)
			continue
		}
		fsys[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return fsys, want
}
