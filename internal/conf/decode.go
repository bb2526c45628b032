package conf

import (
	"fmt"
	"reflect"
	"slices"

	"gopkg.in/yaml.v3"
)

const (
	// MaxFileBytes bounds one file. A table of ten thousand tenants in a single
	// file takes a few MiB; the tree of a file takes many times its size.
	MaxFileBytes = 16 << 20

	// maxDepth bounds nesting. The deepest declared key is below ten; recursion
	// stays shallow whatever the file says.
	maxDepth = 64

	// maxAliasNodes bounds how many nodes aliases expand to in one file, the
	// "billion laughs" of YAML. A shared list of a thousand entries may be used
	// a hundred times; whoever needs more names it as a set.
	maxAliasNodes = 100_000

	// aliasNodeBytes is how long a text may be to count as one of them: longer
	// ones cost as much as several, when they are read and when they are quoted.
	aliasNodeBytes = 64
)

// Decode reads one file into a pointer to a struct and records every fault in
// r. What is faulty is left zero, with its position set.
func Decode(file string, text []byte, into any, r *Report) {
	NewDecoder().Decode(file, text, into, r)
}

// Decode is [Decode] with the declarations that d already knows.
func (d *Decoder) Decode(file string, text []byte, into any, r *Report) {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.IsNil() {
		panic(fmt.Sprintf("conf: cannot decode into a %T: expected a pointer to a struct", into))
	}
	p := d.planOf(into)
	root := parse(file, text, r)
	if root == nil {
		return
	}
	w := walk{file: file, report: r}
	w.value(root, p, v.Elem())
}

// walk is one pass over the tree of one file.
type walk struct {
	file       string
	report     *Report
	path       []step       // from the root to the value at hand
	expanding  []*yaml.Node // the targets of the aliases being followed
	aliasNodes int          // visited below aliases, long ones counted several times
}

// step is one level on the way down.
type step struct {
	key    *yaml.Node // nil for the items of a list
	within *plan      // the struct that declares key; nil for the keys of a Map
}

// value decodes n into v and reports whether it is without fault.
func (w *walk) value(n *yaml.Node, p *plan, v reflect.Value) bool {
	if n.Kind == yaml.AliasNode {
		return w.alias(n, p, v)
	}
	if !w.admit(n) {
		w.place(n, p, v)
		return false
	}
	return w.admitted(n, p, v)
}

// admitted decodes n, which may stand here, into v. It calls itself with the
// same n where a declaration wraps another.
func (w *walk) admitted(n *yaml.Node, p *plan, v reflect.Value) bool {
	w.place(n, p, v)
	if !fits(n, p) {
		return w.mismatch(n, p)
	}
	switch p.kind {
	case kindAt:
		return w.admitted(n, p.elem, v.Field(0))
	case kindPointer:
		v.Set(reflect.New(p.elem.typ))
		return w.admitted(n, p.elem, v.Elem())
	case kindList, kindOneOrMany:
		return w.list(n, p, v)
	case kindMap:
		return w.entries(n, p, v)
	case kindStruct:
		return w.structure(n, p, v)
	}
	return w.scalar(n, p, v)
}

// place notes where n stands.
func (w *walk) place(n *yaml.Node, p *plan, v reflect.Value) {
	if p.kind == kindAt || p.kind == kindList || p.kind == kindOneOrMany {
		*v.Field(1).Addr().Interface().(*Pos) = w.pos(n)
	}
}

// alias decodes what n refers to. A position within it is where it is written.
func (w *walk) alias(n *yaml.Node, p *plan, v reflect.Value) bool {
	if slices.Contains(w.expanding, n.Alias) {
		return w.fault(n, "", "the alias %q contains itself", "*"+n.Value)
	}
	w.expanding = append(w.expanding, n.Alias)
	ok := w.value(n.Alias, p, v)
	w.expanding = w.expanding[:len(w.expanding)-1]
	return ok
}

// admit refuses what may stand nowhere.
func (w *walk) admit(n *yaml.Node) bool {
	if n.Style&yaml.TaggedStyle != 0 {
		return w.fault(n, "remove the tag", "explicit tag %q; expected a value without a tag", n.Tag)
	}
	if len(w.path) > maxDepth {
		return w.fault(n, "", "nested deeper than %d levels; expected fewer", maxDepth)
	}
	if len(w.expanding) == 0 {
		return true
	}
	before := w.aliasNodes
	w.aliasNodes += 1 + len(n.Value)/aliasNodeBytes
	if before <= maxAliasNodes && w.aliasNodes > maxAliasNodes {
		w.fault(n, "", "the aliases of this file expand to more than %d values", maxAliasNodes)
	}
	return w.aliasNodes <= maxAliasNodes
}

func (w *walk) list(n *yaml.Node, p *plan, v reflect.Value) bool {
	nodes, decode := n.Content, w.value
	if n.Kind != yaml.SequenceNode {
		nodes, decode = []*yaml.Node{n}, w.admitted
	}
	items := v.Field(0)
	items.Set(reflect.MakeSlice(items.Type(), len(nodes), len(nodes)))
	w.path = append(w.path, step{})
	ok := true
	for i, node := range nodes {
		item := items.Index(i)
		*item.Field(1).Addr().Interface().(*Pos) = w.pos(written(node))
		ok = decode(node, p.elem, item.Field(0)) && ok
	}
	w.path = w.path[:len(w.path)-1]
	return ok
}

func (w *walk) entries(n *yaml.Node, p *plan, v reflect.Value) bool {
	v.Set(reflect.MakeSlice(p.typ, len(n.Content)/2, len(n.Content)/2))
	used := 0
	ok := w.pairs(n, func(key, value *yaml.Node) bool {
		entry := v.Index(used)
		used++
		entry.Field(0).SetString(key.Value)
		*entry.Field(1).Addr().Interface().(*Pos) = w.pos(key)
		return w.below(step{key: key}, value, p.elem, entry.Field(2))
	})
	v.SetLen(used)
	return ok
}

func (w *walk) structure(n *yaml.Node, p *plan, v reflect.Value) bool {
	for _, index := range p.pos {
		*v.FieldByIndex(index).Addr().Interface().(*Pos) = w.pos(n)
	}
	if n.Kind == yaml.MappingNode {
		if !w.keys(n, p, v) {
			return false
		}
	} else {
		ok := w.admitted(n, p.short.plan, v.FieldByIndex(p.short.index))
		if !w.complete(n, p, map[*field]bool{p.short: true}) || !ok {
			return false
		}
	}
	before := w.report.Faults()
	for _, index := range p.checks {
		v.FieldByIndex(index).Addr().Interface().(Checker).CheckConf(w.pos(n), w.report)
	}
	return w.report.Faults() == before
}

// below decodes the value of the key that s names.
func (w *walk) below(s step, value *yaml.Node, p *plan, v reflect.Value) bool {
	w.path = append(w.path, s)
	ok := w.value(value, p, v)
	w.path = w.path[:len(w.path)-1]
	return ok
}

// written returns the node where the value of n is written, which for an alias
// is its anchor.
func written(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// fits reports whether a node of this kind can be what p declares.
func fits(n *yaml.Node, p *plan) bool {
	switch p.kind {
	case kindAt, kindPointer:
		return fits(n, p.elem)
	case kindList:
		return n.Kind == yaml.SequenceNode
	case kindOneOrMany:
		return n.Kind == yaml.SequenceNode || fits(n, p.elem)
	case kindMap:
		return n.Kind == yaml.MappingNode
	case kindStruct:
		return n.Kind == yaml.MappingNode || p.short != nil && fits(n, p.short.plan)
	}
	return n.Kind == yaml.ScalarNode && !isNull(n)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func (w *walk) pos(n *yaml.Node) Pos { return Pos{w.file, n.Line, n.Column} }

// fault records a fault at n and returns false.
func (w *walk) fault(n *yaml.Node, hint, format string, args ...any) bool {
	w.report.Fault(w.pos(n), hint, format, args...)
	return false
}
