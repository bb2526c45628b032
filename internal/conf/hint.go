package conf

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// hint says how f is written; "" where there is nothing to say, and where nobody
// would see it.
func (w *walk) hint(f *field) string {
	if f == nil || w.report.Full() {
		return ""
	}
	return f.hint()
}

// hintFor is hint for whoever has written n.
func (w *walk) hintFor(n *yaml.Node, f *field) string {
	if hint := switchHint(n, f); hint != "" {
		return hint
	}
	return w.hint(f)
}

// switchHint says what f has for the word of a switch.
func switchHint(n *yaml.Node, f *field) string {
	if f == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	on, is := switchWord(n.Value)
	switch {
	case is && on && f.on != "":
		return "write " + f.name + ": " + f.on
	case is && !on && f.off != "":
		return "write " + f.name + ": " + f.off
	}
	return ""
}

// enumHint says which of the words is meant by n, or what may be written in place
// of a word.
func (w *walk) enumHint(n *yaml.Node, p *plan) string {
	if hint := DidYouMean(n.Value, p.enum); hint != "" {
		return hint
	}
	f := w.declared()
	if f == nil || w.report.Full() {
		return ""
	}
	if whole := f.plan.declared(); whole != nil && whole.short != nil {
		if forms := whole.forms(); forms != nil {
			return "or write " + inRow(forms, "or")
		}
	}
	return ""
}

// forms returns a way to write each of the keys of which exactly one is written,
// but for the one that may stand for all of it.
func (p *plan) forms() []string {
	var forms []string
	for _, f := range p.fields {
		if f.one && f != p.short {
			for _, value := range f.values() {
				forms = append(forms, "{"+f.name+": "+value+"}")
			}
		}
	}
	return forms
}

// values returns what may be written for f: its words, its forms, an example.
func (f *field) values() []string {
	leaf := f.plan
	for leaf.elem != nil {
		leaf = leaf.elem
	}
	switch {
	case leaf.enum != nil:
		return leaf.enum
	case leaf.kind == kindStruct && leaf.short != nil:
		return slices.Concat(leaf.short.values(), leaf.forms())
	case f.example == "":
		return nil
	}
	return []string{f.example}
}

// switchWord reports whether text is a word for on or off, and for which.
func switchWord(text string) (on, is bool) {
	switch strings.ToLower(text) {
	case "true", "yes", "on", "y", "1":
		return true, true
	case "false", "no", "off", "n", "0":
		return false, true
	}
	return false, false
}

func (f *field) hint() string {
	if example := f.shown(); example != "" {
		return "write it like " + f.name + ": " + example
	}
	return ""
}

// shown returns the example of f, or one that is made of those of the keys below
// it; "" where there is none.
func (f *field) shown() string { return f.shownWithin(shownDepth) }

// shownDepth bounds how many maps within each other an example is made of: a
// declaration may contain itself.
const shownDepth = 3

func (f *field) shownWithin(maps int) string {
	p := f.plan
	for p.kind == kindAt || p.kind == kindPointer || p.kind == kindOneOrMany {
		p = p.elem
	}
	if f.example != "" || p.kind != kindStruct || maps == 0 {
		return f.example
	}
	var pairs []string
	for _, key := range p.needed(maps) {
		value := key.shownWithin(maps - 1)
		if value == "" {
			return ""
		}
		pairs = append(pairs, key.name+": "+value)
	}
	if pairs == nil {
		return ""
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

// needed returns the keys of the struct p that an example has: those that are
// required, or else the first that has one itself.
func (p *plan) needed(maps int) []*field {
	var needed []*field
	for _, f := range p.fields {
		if f.required {
			needed = append(needed, f)
		}
	}
	for _, f := range p.fields {
		if needed == nil && f.shownWithin(maps-1) != "" {
			needed = append(needed, f)
		}
	}
	return needed
}
