package house

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
)

const (
	fileLinesMax     = 400 // beyond this a file has two subjects
	functionLinesMax = 60  // what a screen shows at once
)

// long marks a function that may exceed the limit, with the reason why it reads better whole.
const long = "//house:long "

// sizes: files and functions that can be read.
func sizes(t *tree) (out []finding) {
	for _, s := range t.sources {
		if s.test {
			continue
		}
		if s.lines > fileLinesMax {
			out = append(out, finding{s.path, s.lines, "the file has more than 400 lines; find its second subject"})
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := t.fset.Position(f.End()).Line - t.fset.Position(f.Pos()).Line + 1
			if n > functionLinesMax && !hasMark(f.Doc) {
				out = append(out, t.at(f.Pos(), "%s has %d lines, more than %d; split it, or write %sREASON above it", f.Name.Name, n, functionLinesMax, long))
			}
		}
	}
	return out
}

func hasMark(doc *ast.CommentGroup) bool {
	if doc == nil {
		return false
	}
	for _, c := range doc.List {
		if reason, ok := strings.CutPrefix(c.Text, long); ok && strings.TrimSpace(reason) != "" {
			return true
		}
	}
	return false
}

// vague words name a drawer, not a subject.
var vague = map[string]bool{
	"base": true, "common": true, "helper": true, "helpers": true, "lib": true, "misc": true, "shared": true,
	"stuff": true, "types": true, "util": true, "utils": true,
}

// names: packages and files are named by what is in them.
func names(t *tree) (out []finding) {
	for _, s := range t.sources {
		if name := strings.TrimSuffix(s.file.Name.Name, "_test"); vague[name] {
			out = append(out, t.at(s.file.Name.Pos(), "package %s is named by no subject", name))
		}
		stem := strings.TrimSuffix(strings.TrimSuffix(path.Base(s.path), ".go"), "_test")
		for word := range strings.SplitSeq(stem, "_") {
			if vague[word] {
				out = append(out, t.at(s.file.Package, "file name %q: %q names no subject", path.Base(s.path), word))
			}
		}
	}
	return out
}

// postponed matches the marks of work left for later. They are spelled in two halves, because this file is read too.
var postponed = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME)\b`)

// unfinished: what is in the tree is done; what is not is an issue.
func unfinished(t *tree) (out []finding) {
	for p, text := range t.texts {
		for i, line := range strings.Split(string(text), "\n") {
			if mark := postponed.FindString(line); mark != "" {
				out = append(out, finding{p, i + 1, mark + ": do it or open an issue"})
			}
		}
	}
	return out
}
