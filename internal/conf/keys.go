package conf

import (
	"reflect"
	"strings"

	"gopkg.in/yaml.v3"
)

// keys decodes the declared keys of the map n.
func (w *walk) keys(n *yaml.Node, p *plan, v reflect.Value) bool {
	written := make(map[*field]bool, len(n.Content)/2)
	ok := w.pairs(n, func(key, value *yaml.Node) bool {
		if strings.HasPrefix(key.Value, "x-") {
			return true
		}
		f := p.byName[key.Value]
		if f == nil {
			return w.unknown(key, value, p)
		}
		written[f] = true
		return w.below(step{key: key, within: p}, value, f.plan, v.FieldByIndex(f.index))
	})
	return w.complete(n, p, written) && ok
}

// pairs calls each for every good key of the map n.
func (w *walk) pairs(n *yaml.Node, each func(key, value *yaml.Node) bool) bool {
	ok := true
	first := make(map[string]*yaml.Node, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if !w.admitKey(key) {
			ok = false
			continue
		}
		if earlier := first[key.Value]; earlier != nil {
			ok = w.fault(key, "", "duplicate key %q; it is already written at %v", key.Value, w.pos(earlier))
			continue
		}
		first[key.Value] = key
		ok = each(key, value) && ok
	}
	return ok
}

// admitKey refuses what is no plain key.
func (w *walk) admitKey(key *yaml.Node) bool {
	switch {
	case key.Kind == yaml.AliasNode:
		return w.fault(key, "put a name that begins with * in quotes", "the alias %q stands for a key; expected the key itself", "*"+key.Value)
	case key.Kind != yaml.ScalarNode:
		return w.fault(key, "", "%s stands for a key; expected text", standing(key))
	case key.Tag == "!!merge" && key.Style&yaml.TaggedStyle == 0:
		return w.fault(key, "write the keys out, or give the whole value an anchor", "merge key %q; expected a key of this map", key.Value)
	case key.Style&yaml.TaggedStyle != 0:
		return w.fault(key, "remove the tag", "explicit tag %q; expected a key without a tag", key.Tag)
	case key.Value == "":
		return w.fault(key, "", "empty key; expected a name")
	}
	return true
}

// complete demands the required keys of the struct at n, and exactly one of
// those that are alternatives.
func (w *walk) complete(n *yaml.Node, p *plan, written map[*field]bool) bool {
	ok := true
	var alternative, chosen []string
	var first *field
	for _, f := range p.fields {
		if f.required && !written[f] {
			ok = w.fault(n, w.hint(f), "required key %q is missing", f.name)
		}
		if f.one {
			if first == nil {
				first = f
			}
			alternative = append(alternative, f.name)
			if written[f] {
				chosen = append(chosen, f.name)
			}
		}
	}
	switch {
	case alternative == nil || len(chosen) == 1:
		return ok
	case chosen == nil:
		return w.fault(n, w.hint(first), "none of the keys %s is written; expected one", listed(alternative, "and"))
	}
	return w.fault(n, "", "%s stand together; expected only one of them", listed(chosen, "and"))
}
