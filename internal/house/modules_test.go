package house

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"slices"
	"strconv"
	"strings"
)

// A roomOf is one row of docs/dependencies.md: who may import a third-party path.
type roomOf struct {
	path      string // import path; everything below it is meant too
	room      string // folder below the module; empty: any
	testsOnly bool   // only _test.go files may
	line      int
}

// parseDependencies reads the table whose rows begin with a path in backquotes:
//
//	| `gopkg.in/yaml.v3` | `internal/conf` | reason |
//	| `go.uber.org/goleak` | tests | reason |
//	| `github.com/pires/go-proxyproto` | tests of `internal/wire` | reason |
func parseDependencies(text []byte) ([]roomOf, error) {
	var out []roomOf
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		cells := strings.Split(lines.Text(), "|")
		if len(cells) < 3 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		if len(cells) != 5 || strings.TrimSpace(cells[3]) == "" {
			return nil, fmt.Errorf("line %d: a row is | `import path` | room | reason |", n)
		}
		r := roomOf{path: strings.Trim(cells[1], " `"), line: n}
		room := strings.TrimSpace(cells[2])
		if rest, ok := strings.CutPrefix(room, "tests"); ok {
			r.testsOnly = true
			room = strings.TrimPrefix(strings.TrimSpace(rest), "of ")
		}
		r.room = strings.Trim(room, " `")
		if r.room == "" && !r.testsOnly {
			return nil, fmt.Errorf("line %d: %s has no room", n, r.path)
		}
		out = append(out, r)
	}
	return out, lines.Err()
}

// below reports whether p is dir or lies in it.
func below(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, dir+"/")
}

// dependencies compares docs/dependencies.md, go.mod and what is imported.
func dependencies(t *tree) []finding {
	out := t.compareGoMod()
	for _, s := range t.sources {
		for _, spec := range s.file.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			first, _, _ := strings.Cut(target, "/")
			if !strings.Contains(first, ".") || below(target, t.module) {
				continue
			}
			if text := t.judgeModule(s, target); text != "" {
				out = append(out, t.at(spec.Pos(), "%s", text))
			}
		}
	}
	for _, r := range t.rooms {
		if !slices.ContainsFunc(t.sources, r.usedBy) {
			out = append(out, finding{"docs/dependencies.md", r.line, fmt.Sprintf("%s is imported by no file of %s", r.path, r)})
		}
	}
	return out
}

// admits reports whether the row lets a file import its path.
func (r roomOf) admits(s *source) bool {
	return (r.room == "" || below(s.dir(), r.room)) && (s.test || !r.testsOnly)
}

// usedBy reports whether a file makes use of the row.
func (r roomOf) usedBy(s *source) bool {
	return r.admits(s) && slices.ContainsFunc(s.file.Imports, func(i *ast.ImportSpec) bool {
		target, _ := strconv.Unquote(i.Path.Value)
		return below(target, r.path)
	})
}

func (t *tree) compareGoMod() (out []finding) {
	for _, m := range t.direct {
		if !slices.ContainsFunc(t.rooms, func(r roomOf) bool { return below(r.path, m) }) {
			out = append(out, finding{"go.mod", 1, fmt.Sprintf("%s has no row in docs/dependencies.md", m)})
		}
	}
	for _, r := range t.rooms {
		if !slices.ContainsFunc(t.direct, func(m string) bool { return below(r.path, m) }) {
			out = append(out, finding{"docs/dependencies.md", r.line, fmt.Sprintf("%s is not required by go.mod", r.path)})
		}
	}
	return out
}

// judgeModule says why a file may not import a third-party path, or nothing. The longest row decides; several rows for
// one path are several readers, each with its reason.
func (t *tree) judgeModule(s *source, target string) string {
	var rows []roomOf
	for _, r := range t.rooms {
		switch {
		case !below(target, r.path):
		case len(rows) == 0 || len(r.path) > len(rows[0].path):
			rows = []roomOf{r}
		case len(r.path) == len(rows[0].path):
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return fmt.Sprintf("%s has no row in docs/dependencies.md", target)
	}
	var allowed []string
	for _, r := range rows {
		if r.admits(s) {
			return ""
		}
		allowed = append(allowed, r.String())
	}
	return fmt.Sprintf("%s must not import %s: only %s may (docs/dependencies.md)", s.dir(), target, strings.Join(allowed, " and "))
}

func (r roomOf) String() string {
	switch {
	case r.testsOnly && r.room == "":
		return "tests"
	case r.testsOnly:
		return "tests of " + r.room
	}
	return r.room
}
