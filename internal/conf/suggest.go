package conf

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// unknown records that the struct p has no such key, and where it may belong.
func (w *walk) unknown(key *yaml.Node, p *plan) bool {
	if slices.Contains(p.later, key.Value) {
		return w.fault(key, "", "%q is not in this version", key.Value)
	}
	hint := ""
	if !w.report.Full() {
		hint = w.keyHint(key.Value, p)
	}
	return w.fault(key, hint, "unknown key %q", key.Value)
}

func (w *walk) keyHint(name string, p *plan) string {
	if p.short != nil && strings.ContainsAny(name, "./*") {
		return "write it as " + p.short.name + ": " + strconv.Quote(name) + ", with the other keys beside it"
	}
	if strings.Contains(name, ":") {
		return hintColon
	}
	names := p.names()
	near, distance := nearest(name, names)
	if near != "" && distance <= 1 {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	if hint := w.elsewhere(name, p); hint != "" {
		return hint
	}
	return DidYouMean(name, names)
}

// elsewhere says where a key belongs that is declared one level up or down, or
// beside what it stands below.
func (w *walk) elsewhere(name string, p *plan) string {
	if holders := p.holders(name); holders != nil {
		return strconv.Quote(name) + " belongs below " + listed(holders, "or")
	}
	for _, s := range slices.Backward(w.path) {
		if s.within == nil {
			continue // a name of the operator's, or an item
		}
		if s.within.byName[name] != nil {
			return strconv.Quote(name) + " belongs beside " + strconv.Quote(s.key.Value) + ", not below it"
		}
		if holders := s.within.holders(name); holders != nil {
			return strconv.Quote(name) + " belongs below " + listed(holders, "or")
		}
		return ""
	}
	return ""
}

// holders returns the keys of p below which name is declared.
func (p *plan) holders(name string) []string {
	var keys []string
	for _, f := range p.fields {
		if inner := f.plan.declared(); inner != nil && inner.byName[name] != nil {
			keys = append(keys, f.name)
		}
	}
	return keys
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
