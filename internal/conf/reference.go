package conf

import "strings"

// KeyDoc is what the reference says about one key.
type KeyDoc struct {
	Path     string // "listen.http[]", "tenants.*.hosts[]": * is a name, [] an item
	Type     string // "duration", "list of text", "map"
	Unit     string // the units that may be written; empty where there is none
	Default  string // of the program, when no file says otherwise
	Doc      string
	Example  string
	Enum     []string // the only words allowed; nil for any
	Required bool
	Short    bool // the value may stand in place of the map around it
	Later    bool // the key is not in this version
}

// Reference describes every key of a declaration, depth first, in its order. A
// struct within itself is described once, where it first occurs.
func Reference(root any) []KeyDoc {
	var r reference
	r.structure(NewDecoder().planOf(root), "")
	return r.docs
}

type reference struct {
	docs []KeyDoc
	open []*plan // the structs around the key at hand
}

func (r *reference) structure(p *plan, prefix string) {
	for _, around := range r.open {
		if around.typ == p.typ {
			return
		}
	}
	r.open = append(r.open, p)
	for _, f := range p.fields {
		r.key(f, f == p.short, prefix+f.name)
	}
	for _, name := range p.later {
		r.docs = append(r.docs, KeyDoc{Path: prefix + name, Later: true})
	}
	r.open = r.open[:len(r.open)-1]
}

func (r *reference) key(f *field, short bool, path string) {
	leaf := f.plan
	suffix := ""
	for leaf.elem != nil {
		switch leaf.kind {
		case kindList, kindOneOrMany:
			suffix += "[]"
		case kindMap:
			suffix += ".*"
		}
		leaf = leaf.elem
	}
	r.docs = append(r.docs, KeyDoc{
		Path:     path + suffix,
		Type:     typeName(f.plan),
		Unit:     leaf.scalar.Unit,
		Default:  f.def,
		Doc:      f.doc,
		Example:  f.example,
		Enum:     leaf.enum,
		Required: f.required,
		Short:    short,
	})
	if leaf.kind == kindStruct {
		r.structure(leaf, path+suffix+".")
	}
}

// typeName names what p declares for the reader of the reference.
func typeName(p *plan) string {
	switch p.kind {
	case kindBool:
		return "true or false"
	case kindInt:
		return "whole number"
	case kindScalar:
		return p.scalar.Name
	case kindAt, kindPointer:
		return typeName(p.elem)
	case kindList:
		return "list of " + plural(typeName(p.elem))
	case kindOneOrMany:
		return typeName(p.elem) + " or list of " + plural(typeName(p.elem))
	case kindMap:
		return "map of names to " + plural(typeName(p.elem))
	case kindStruct:
		if p.short != nil {
			return typeName(p.short.plan) + " or map"
		}
		return "map"
	}
	return "text"
}

// plural makes "maps" of "map"; text has none, and a list or map of something
// stays as it is.
func plural(noun string) string {
	words := strings.Split(noun, " or ")
	for i, word := range words {
		switch {
		case word == "text", word == "maps", word == "true", word == "false", strings.Contains(word, " of "):
		case strings.HasSuffix(word, "s"), strings.HasSuffix(word, "x"):
			words[i] = word + "es"
		default:
			words[i] = word + "s"
		}
	}
	return strings.Join(words, " or ")
}
