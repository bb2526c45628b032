package house

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A source is one Go file.
type source struct {
	path  string // slash-separated, from the root of the module
	test  bool   // its name ends in _test.go
	lines int
	file  *ast.File
}

// dir is the package's path below the module, "." for the root.
func (s *source) dir() string { return path.Dir(s.path) }

func (s *source) imports(target string) bool {
	return slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == strconv.Quote(target) })
}

// A tree is a module as the laws see it.
type tree struct {
	module  string
	direct  []string // modules that go.mod requires itself
	fset    *token.FileSet
	sources []*source
	texts   map[string][]byte // everything readable that people write: Go, shell, YAML, Markdown
	laws    *laws
	rooms   []roomOf
}

// A finding is one broken law at one place.
type finding struct {
	path string
	line int
	text string
}

func (f finding) String() string { return fmt.Sprintf("%s:%d: %s", f.path, f.line, f.text) }

func sortFindings(fs []finding) {
	slices.SortFunc(fs, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.path, b.path), cmp.Compare(a.line, b.line), cmp.Compare(a.text, b.text))
	})
}

// at is a finding at a syntax node.
func (t *tree) at(pos token.Pos, format string, args ...any) finding {
	p := t.fset.Position(pos)
	return finding{p.Filename, p.Line, fmt.Sprintf(format, args...)}
}

// packages gives the non-test files of each package, by folder.
func (t *tree) packages() map[string][]*source {
	out := map[string][]*source{}
	for _, s := range t.sources {
		if !s.test {
			out[s.dir()] = append(out[s.dir()], s)
		}
	}
	return out
}

// load reads a module. Folders that Go ignores, and build output, are left out.
func load(t *testing.T, fsys fs.FS) *tree {
	t.Helper()
	tr := &tree{fset: token.NewFileSet(), texts: map[string][]byte{}}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipFolder(p) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || !readable(p) {
			return nil
		}
		return tr.add(fsys, p)
	})
	if err != nil {
		t.Fatalf("reading the module: %v", err)
	}
	if tr.laws, err = parseLaws(tr.texts["internal/house/laws.txt"]); err != nil {
		t.Fatalf("internal/house/laws.txt: %v", err)
	}
	if tr.rooms, err = parseDependencies(tr.texts["docs/dependencies.md"]); err != nil {
		t.Fatalf("docs/dependencies.md: %v", err)
	}
	tr.readGoMod()
	return tr
}

func skipFolder(p string) bool {
	base := path.Base(p)
	return p != "." && (base == "testdata" || base == "bin" || base == "dist" || base == "vendor" ||
		strings.HasPrefix(base, ".") && base != ".ci" || strings.HasPrefix(base, "_"))
}

// readable tells texts that people write from data; scripts have no extension here.
func readable(p string) bool {
	switch path.Ext(p) {
	case ".go", ".md", ".yaml", ".sh", ".txt", ".mod", ".service", "":
		return path.Base(p) != "LICENSE"
	}
	return false
}

func (t *tree) add(fsys fs.FS, p string) error {
	text, err := fs.ReadFile(fsys, p)
	if err != nil {
		return err
	}
	t.texts[p] = text
	if path.Ext(p) != ".go" {
		return nil
	}
	file, err := parser.ParseFile(t.fset, p, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	t.sources = append(t.sources, &source{
		path:  p,
		test:  strings.HasSuffix(p, "_test.go"),
		lines: bytes.Count(text, []byte("\n")),
		file:  file,
	})
	return nil
}

// readGoMod takes the module's name and its direct requirements.
func (t *tree) readGoMod() {
	lines := bufio.NewScanner(bytes.NewReader(t.texts["go.mod"]))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) > 0 && words[0] == "require" {
			words = words[1:]
		}
		switch {
		case len(words) == 2 && words[0] == "module":
			t.module = words[1]
		case len(words) == 2 && strings.Contains(words[0], ".") && strings.HasPrefix(words[1], "v"):
			t.direct = append(t.direct, words[0])
		}
	}
}
