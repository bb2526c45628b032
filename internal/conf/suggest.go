package conf

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// unknown records that the struct p has no such key, and where it may belong.
func (w *walk) unknown(key, value *yaml.Node, p *plan) bool {
	if slices.Contains(p.later, key.Value) {
		return w.fault(key, "", "%q is not in this version", key.Value)
	}
	hint := ""
	if !w.report.Full() {
		hint = w.keyHint(key.Value, written(value), p)
	}
	return w.fault(key, hint, "unknown key %q", key.Value)
}

func (w *walk) keyHint(name string, value *yaml.Node, p *plan) string {
	if p.short != nil && strings.ContainsAny(name, "./*") {
		return "write it as " + p.short.name + ": " + strconv.Quote(name) + ", with the other keys beside it"
	}
	if strings.Contains(name, ":") {
		return hintColon
	}
	if hint := p.synonym(name); hint != "" {
		return hint
	}
	names := p.names()
	near, distance := nearest(name, names)
	if near != "" && distance <= 1 {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	if hint := w.elsewhere(name, value, p); hint != "" {
		return hint
	}
	return DidYouMean(name, names)
}

// synonym says what p calls a key that others call name, or where it stands.
func (p *plan) synonym(name string) string {
	if len(name) > maxSuggestBytes {
		return ""
	}
	word := folded(name)
	for _, f := range p.fields {
		if slices.Contains(f.also, word) {
			return strings.TrimSuffix("did you mean "+strconv.Quote(f.name)+"? "+f.hint(), " ")
		}
	}
	for _, m := range p.moved {
		if slices.Contains(m.keys, word) {
			return m.to
		}
	}
	return ""
}

// elsewhere says where a key belongs that is declared one level up or down, or
// beside what it stands below, for values like this one: another block often has
// a key of the same name that is something else.
func (w *walk) elsewhere(name string, value *yaml.Node, p *plan) string {
	if holders := p.holders(name, value, true); holders != nil {
		return strconv.Quote(name) + " belongs below " + listed(holders, "or")
	}
	for _, s := range slices.Backward(w.path) {
		if s.within == nil {
			continue // a name of the operator's, or an item
		}
		if f := s.within.byName[name]; f != nil && takes(value, f.plan) {
			return strconv.Quote(name) + " belongs beside " + strconv.Quote(s.key.Value) + ", not below it"
		}
		if holders := s.within.holders(name, value, false); holders != nil {
			return strconv.Quote(name) + " belongs below " + listed(holders, "or")
		}
		return ""
	}
	return ""
}

// holders returns the keys of p below which name is declared for such a value;
// those that take any text only if anyText is set.
func (p *plan) holders(name string, value *yaml.Node, anyText bool) []string {
	var keys []string
	for _, f := range p.fields {
		inner := f.plan.declared()
		if inner == nil || inner.byName[name] == nil {
			continue
		}
		if held := inner.byName[name].plan; takes(value, held) && (anyText || !held.anyText()) {
			keys = append(keys, f.name)
		}
	}
	return keys
}

// anyText reports whether p is text that may say anything.
func (p *plan) anyText() bool {
	for p.elem != nil {
		p = p.elem
	}
	return p.kind == kindString && p.enum == nil
}

// takes reports whether n may be meant for p. Of maps, lists and long texts the
// kind alone is looked at.
func takes(n *yaml.Node, p *plan) bool {
	switch {
	case isNull(n):
		return true
	case !fits(n, p):
		return false
	case n.Kind != yaml.ScalarNode || len(n.Value) > maxSuggestBytes:
		return true
	}
	for p.elem != nil || p.kind == kindStruct {
		if p.kind == kindStruct {
			p = p.short.plan
		} else {
			p = p.elem
		}
	}
	trial := walk{report: new(Report)}
	return trial.scalar(n, p, reflect.New(p.typ).Elem())
}

// declared returns the struct that p holds, directly or in a container.
func (p *plan) declared() *plan {
	for p != nil && p.kind != kindStruct {
		p = p.elem
	}
	return p
}

func (p *plan) names() []string {
	names := make([]string, len(p.fields))
	for i, f := range p.fields {
		names[i] = f.name
	}
	return names
}

// DidYouMean returns a hint that names the nearest of candidates, or "".
func DidYouMean(word string, candidates []string) string {
	near := Nearest(word, candidates)
	if near == "" {
		return ""
	}
	return "did you mean " + strconv.Quote(near) + "?"
}

// Nearest returns the candidate that word was probably meant to be, or "": one
// that differs in no more than a third of its letters. Case, hyphens and
// underscores make no difference.
func Nearest(word string, candidates []string) string {
	near, distance := nearest(word, candidates)
	if distance > max(1, min(len(word), len(near))/3) {
		return ""
	}
	return near
}

const (
	// maxSuggestBytes bounds the words that are compared: no declared key, set
	// or tenant has a longer name, and comparing costs the product of the
	// lengths.
	maxSuggestBytes = 63

	// maxCandidates bounds the names that a word is compared with: a file may
	// define names by the ten thousand, and misspell as many.
	maxCandidates = 1000
)

// nearest returns the candidate with the smallest edit distance to word.
func nearest(word string, candidates []string) (near string, distance int) {
	if word == "" || len(word) > maxSuggestBytes || len(candidates) > maxCandidates {
		return "", 0
	}
	plain := folded(word)
	for _, c := range candidates {
		if len(c) > maxSuggestBytes {
			continue
		}
		if d := editDistance(plain, folded(c)); near == "" || d < distance {
			near, distance = c, d
		}
	}
	return near, distance
}

func folded(word string) string {
	return strings.Map(func(c rune) rune {
		if c == '-' || c == '_' {
			return -1
		}
		return unicode.ToLower(c)
	}, word)
}

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment).
func editDistance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
