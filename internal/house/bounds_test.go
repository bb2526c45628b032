package house

import (
	"bytes"
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// boundsDoc tells operators and auditors what is bounded, by how much and why.
const boundsDoc = "docs/security.md"

// boundRow is a line of its table: a constant by package and name, and its value.
var boundRow = regexp.MustCompile("^\\| `([a-z0-9]+\\.[A-Za-z0-9]+)` \\| ([0-9,]+) ?([A-Za-z]*) \\|")

// boundName is how a constant says that it bounds something.
var boundName = regexp.MustCompile(`^(max|most|Max)[A-Z]|(Max|Most)$|Max[A-Z]`)

// bounds: what docs/security.md says is bounded is so in the code, and nothing that bounds is left out.
func bounds(t *tree) (out []finding) {
	text := t.texts[boundsDoc]
	if text == nil {
		return nil
	}
	known := constants(t)
	told := map[string]bool{}
	for i, line := range bytes.Split(text, []byte("\n")) {
		row := boundRow.FindSubmatch(line)
		if row == nil {
			continue
		}
		name, value := string(row[1]), strings.TrimSpace(string(row[2])+" "+string(row[3]))
		told[name] = true
		c, ok := known[name]
		switch {
		case !ok:
			out = append(out, finding{boundsDoc, i + 1, "there is no constant " + name})
		case quantity(string(row[2]), string(row[3])) != c.value:
			out = append(out, finding{boundsDoc, i + 1, name + " is not " + value + "; it is " + strconv.FormatInt(c.value, 10) + " (of a duration: nanoseconds)"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if _, short, _ := strings.Cut(name, "."); boundName.MatchString(short) && !told[name] {
			out = append(out, t.at(known[name].pos, "%s bounds something and has no row in %s", name, boundsDoc))
		}
	}
	return out
}

// quantity is a number of the table in the unit of the code: bytes, nanoseconds, or what is counted.
func quantity(number, unit string) int64 {
	n, err := strconv.ParseInt(strings.ReplaceAll(number, ",", ""), 10, 64)
	if err != nil {
		return -1
	}
	factor := map[string]int64{
		"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
		"ms": int64(time.Millisecond), "s": int64(time.Second), "min": int64(time.Minute), "h": int64(time.Hour), "d": 24 * int64(time.Hour),
	}[unit]
	return n * max(factor, 1)
}

type constantOf struct {
	pos   token.Pos
	value int64
}

// constants are those of all packages but this one, by package and name, as far as they are whole numbers.
func constants(t *tree) map[string]constantOf {
	found := map[string]constantOf{}
	for dir, files := range t.packages() {
		if dir == "internal/house" {
			continue
		}
		scope := map[string]*ast.ValueSpec{}
		for _, s := range files {
			for _, d := range s.file.Decls {
				if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.CONST {
					for _, spec := range g.Specs {
						if v := spec.(*ast.ValueSpec); len(v.Names) == 1 && len(v.Values) == 1 {
							scope[v.Names[0].Name] = v
						}
					}
				}
			}
		}
		for name, spec := range scope {
			if value, ok := evaluate(spec.Values[0], scope); ok {
				found[files[0].file.Name.Name+"."+name] = constantOf{spec.Pos(), value}
			}
		}
	}
	return found
}

// evaluate computes what constants are made of here: numbers, units of time, lengths of texts, + - * and <<.
func evaluate(x ast.Expr, scope map[string]*ast.ValueSpec) (int64, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		n, err := strconv.ParseInt(x.Value, 0, 64)
		return n, err == nil
	case *ast.ParenExpr:
		return evaluate(x.X, scope)
	case *ast.Ident:
		if spec := scope[x.Name]; spec != nil {
			return evaluate(spec.Values[0], scope)
		}
	case *ast.SelectorExpr:
		unit, ok := map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute, "Hour": time.Hour}[x.Sel.Name]
		return int64(unit), ok
	case *ast.CallExpr: // a conversion, or the length of a text
		if text, ok := x.Args[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
			s, err := strconv.Unquote(text.Value)
			return int64(len(s)), err == nil
		}
		return evaluate(x.Args[0], scope)
	case *ast.BinaryExpr:
		a, okA := evaluate(x.X, scope)
		b, okB := evaluate(x.Y, scope)
		n, ok := compute(a, x.Op, b)
		return n, okA && okB && ok
	}
	return 0, false
}

func compute(a int64, op token.Token, b int64) (int64, bool) {
	switch op {
	case token.ADD:
		return a + b, true
	case token.SUB:
		return a - b, true
	case token.MUL:
		return a * b, true
	case token.SHL:
		return a << b, true
	}
	return 0, false
}
