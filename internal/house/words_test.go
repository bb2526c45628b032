package house

import (
	"go/ast"
	"go/token"
	"strings"
)

// packageDocs: every package says what it is for.
func packageDocs(t *tree) (out []finding) {
	for dir, files := range t.packages() {
		var docs []*source
		for _, s := range files {
			if s.file.Doc != nil {
				docs = append(docs, s)
			}
		}
		name := files[0].file.Name.Name
		switch {
		case len(docs) == 0:
			out = append(out, t.at(files[0].file.Package, "package %s (%s) has no package comment", name, dir))
		case len(docs) > 1:
			out = append(out, t.at(docs[1].file.Package, "package %s has a second package comment", name))
		case name != "main" && !strings.HasPrefix(docs[0].file.Doc.Text(), "Package "+name+" "):
			out = append(out, t.at(docs[0].file.Doc.Pos(), "the package comment begins with %q", "Package "+name))
		}
	}
	return out
}

// exportedDocs: every exported name has its contract beside it. Fields and interface methods are the type's business.
func exportedDocs(t *tree) (out []finding) {
	for _, files := range t.packages() {
		for _, s := range files {
			if s.file.Name.Name == "main" {
				continue
			}
			for _, d := range s.file.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Doc == nil && isExported(d) && !wellKnown[d.Name.Name] {
						out = append(out, t.at(d.Pos(), "exported %s has no comment", d.Name.Name))
					}
				case *ast.GenDecl:
					out = append(out, undocumented(t, d)...)
				}
			}
		}
	}
	return out
}

// wellKnown methods have their contract in the standard library.
var wellKnown = map[string]bool{
	"Error": true, "Format": true, "GoString": true, "Is": true, "Len": true, "Less": true, "LogValue": true,
	"MarshalJSON": true, "MarshalText": true, "String": true, "Swap": true, "UnmarshalJSON": true,
	"UnmarshalText": true, "Unwrap": true,
}

// isExported: a function, or a method of an exported type.
func isExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return d.Name.IsExported()
	}
	recv := d.Recv.List[0].Type
	for {
		switch x := recv.(type) {
		case *ast.StarExpr:
			recv = x.X
		case *ast.IndexExpr:
			recv = x.X
		case *ast.IndexListExpr:
			recv = x.X
		case *ast.Ident:
			return x.IsExported() && d.Name.IsExported()
		default:
			return false
		}
	}
}

// undocumented looks through one type, const or var declaration; a comment above the group serves all its names.
func undocumented(t *tree, d *ast.GenDecl) (out []finding) {
	if d.Tok == token.IMPORT || d.Doc != nil {
		return nil
	}
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil && spec.Comment == nil {
				out = append(out, t.at(spec.Pos(), "exported %s has no comment", spec.Name.Name))
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() && spec.Doc == nil && spec.Comment == nil {
					out = append(out, t.at(name.Pos(), "exported %s has no comment", name.Name))
				}
			}
		}
	}
	return out
}
