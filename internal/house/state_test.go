package house

import (
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"path"
	"slices"
)

// inits: nothing happens by importing a package.
func inits(t *tree) (out []finding) {
	for _, s := range t.sources {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				out = append(out, t.at(f.Pos(), "no init: call it where the program is put together"))
			}
		}
	}
	return out
}

// sleeps: waiting is a timer that a context can end; tests wait for the thing itself, or sleep by the virtual clock of
// a synctest bubble.
func sleeps(t *tree) (out []finding) {
	for _, s := range t.sources {
		_, listed := t.laws.sleeps[s.path]
		if listed && !s.test || s.test && s.imports("testing/synctest") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok && isSelector(call, "time", "Sleep") {
				out = append(out, t.at(call.Pos(), "no time.Sleep: wait for the thing itself, or for a timer that a context can end"))
			}
			return true
		})
	}
	return out
}

func isSelector(e ast.Expr, pkg, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}

// globals: a package variable is written where it is declared and nowhere else. Locks, pools, atomics and channels at
// package level are state by their nature.
func globals(t *tree) (out []finding) {
	pkgs := t.packages()
	for _, dir := range slices.Sorted(maps.Keys(pkgs)) {
		for _, s := range pkgs[dir] {
			out = append(out, t.heldState(s)...)
		}
		out = append(out, t.writtenGlobals(dir, pkgs[dir])...)
	}
	return out
}

// heldState finds package variables whose type exists to be changed.
func (t *tree) heldState(s *source) (out []finding) {
	for _, d := range s.file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.VAR {
			continue
		}
		for _, spec := range decl.Specs {
			v := spec.(*ast.ValueSpec)
			kind := stateKind(v.Type)
			for _, value := range v.Values {
				if kind == "" {
					kind = stateKind(made(value))
				}
			}
			if kind != "" {
				out = append(out, t.at(v.Pos(), "package variable %s is %s: state belongs to a value that somebody constructs", v.Names[0].Name, kind))
			}
		}
	}
	return out
}

// made is the type that a composite literal, &literal, new(T) or make(T) makes.
func made(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.UnaryExpr:
		return made(e.X)
	case *ast.CompositeLit:
		if _, isMap := e.Type.(*ast.MapType); isMap {
			return nil // a table
		}
		return e.Type
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.Ident); ok && (f.Name == "new" || f.Name == "make") && len(e.Args) > 0 {
			return e.Args[0]
		}
	}
	return nil
}

// stateKind names the kind of state that a type is, or nothing.
func stateKind(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return stateKind(e.X)
	case *ast.ArrayType:
		return stateKind(e.Elt)
	case *ast.IndexExpr:
		return stateKind(e.X)
	case *ast.ChanType:
		return "a channel"
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
			return x.Name + "." + e.Sel.Name
		}
	}
	return ""
}

// writtenGlobals finds assignments to package variables, to their elements and to their fields.
func (t *tree) writtenGlobals(dir string, files []*source) (out []finding) {
	info := t.resolve(dir, files)
	for _, s := range files {
		report := func(e ast.Expr) {
			switch v := root(e, info).(type) {
			case *types.Var:
				if v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
					out = append(out, t.at(e.Pos(), "package variable %s is written after its declaration", v.Name()))
				}
			case *types.PkgName:
				out = append(out, t.at(e.Pos(), "a variable of another package is written"))
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, e := range n.Lhs {
						report(e)
					}
				}
			case *ast.IncDecStmt:
				report(n.X)
			case *ast.RangeStmt:
				if n.Tok == token.ASSIGN {
					report(n.Key)
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && writes[f.Name] && len(n.Args) > 0 {
					report(n.Args[0])
				}
			}
			return true
		})
	}
	return out
}

// writes are the built-in functions that change their first argument.
var writes = map[string]bool{"clear": true, "copy": true, "delete": true}

// root is what the leftmost name of an expression stands for: a.b[c].d leads to a.
func root(e ast.Expr, info *types.Info) types.Object {
	for {
		switch x := e.(type) {
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.Ident:
			return info.Uses[x]
		default:
			return nil
		}
	}
}

// resolve tells package variables from locals of the same name. Imports are not followed: their types do not matter
// here, so every complaint of the type checker is ignored.
func (t *tree) resolve(dir string, files []*source) *types.Info {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	var syntax []*ast.File
	for _, s := range files {
		syntax = append(syntax, s.file)
	}
	conf := types.Config{Importer: nobody{}, Error: func(error) {}}
	_, _ = conf.Check(t.module+"/"+dir, t.fset, syntax, info)
	return info
}

// nobody is an importer of empty packages.
type nobody struct{}

func (nobody) Import(p string) (*types.Package, error) {
	pkg := types.NewPackage(p, path.Base(p))
	pkg.MarkComplete()
	return pkg, nil
}
