package conf

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// mismatch records that n is not of the kind that p declares.
func (w *walk) mismatch(n *yaml.Node, p *plan) bool {
	if !isNull(n) {
		is := standing(n)
		if n.Kind == yaml.ScalarNode && p.private() {
			is = "text"
		}
		return w.fault(n, w.hintFor(n, w.declared()), "%s is %s; expected %s", w.subject(), is, expected(p))
	}
	at, hint := n, w.hint(w.declared())
	if key := w.key(); key != nil && n.Value == "" {
		at = key // nothing is written, so nothing has a place
		if strings.Contains(key.Value, ":") {
			hint = hintColon
		}
	}
	return w.fault(at, hint, "%s has no value; expected %s", w.subject(), expected(p))
}

// subject names the value at hand.
func (w *walk) subject() string {
	if len(w.path) == 0 {
		return "the file"
	}
	if key := w.key(); key != nil {
		return strconv.Quote(key.Value)
	}
	for i := len(w.path) - 1; i >= 0; i-- {
		if key := w.path[i].key; key != nil {
			return "an item of " + strconv.Quote(key.Value)
		}
	}
	return "an item"
}

// declared returns the declaration of the key whose value is at hand; nil for an
// item of a list and for the operator's own names.
func (w *walk) declared() *field {
	if len(w.path) == 0 {
		return nil
	}
	last := w.path[len(w.path)-1]
	if last.key == nil || last.within == nil {
		return nil
	}
	return last.within.byName[last.key.Value]
}

// key returns the key whose value is at hand; nil for an item of a list.
func (w *walk) key() *yaml.Node {
	if len(w.path) == 0 {
		return nil
	}
	return w.path[len(w.path)-1].key
}

// standing says what n is: "a map", "a list", or the scalar itself.
func standing(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	return strconv.Quote(n.Value)
}

// private reports whether p declares secrets, or a container of them: what stands
// there in their place may be one.
func (p *plan) private() bool {
	for p.elem != nil {
		p = p.elem
	}
	return p.typ == secretType || p.scalar.Private
}

// expected says what p declares, with its article.
func expected(p *plan) string {
	switch p.kind {
	case kindBool:
		return "true or false"
	case kindScalar:
		return withArticle(p.scalar.Name)
	case kindAt, kindPointer:
		return expected(p.elem)
	case kindList:
		return "a list"
	case kindOneOrMany:
		return expected(p.elem) + " or a list"
	case kindMap:
		return "a map"
	case kindStruct:
		if p.short != nil {
			return expected(p.short.plan) + " or a map"
		}
		return "a map"
	}
	if p.enum != nil {
		return listed(p.enum, "or")
	}
	if p.kind == kindInt {
		return "a whole number"
	}
	return "text"
}

// listed writes words in a row: "a", "b" or "c".
func listed(words []string, conjunction string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = strconv.Quote(word)
	}
	return inRow(quoted, conjunction)
}

// inRow writes words in a row as they are: a, b or c.
func inRow(words []string, conjunction string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " " + conjunction + " " + words[last]
}

func withArticle(noun string) string {
	if noun != "" && strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}
