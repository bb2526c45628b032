package conf

import (
	"encoding/json"
	"fmt"

	"gopkg.in/yaml.v3"
)

// exampleValue loads an example of a declaration, which is YAML, as the value
// that JSON Schema talks about.
func exampleValue(text string) (any, error) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		return nil, fmt.Errorf("example %q: %w", text, err)
	}
	if len(node.Content) == 0 {
		return text, nil
	}
	return jsonValue(node.Content[0]), nil
}

// jsonValue converts a tree without aliases.
func jsonValue(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		var o object
		for i := 0; i+1 < len(n.Content); i += 2 {
			o = append(o, member{n.Content[i].Value, jsonValue(n.Content[i+1])})
		}
		return o
	case yaml.SequenceNode:
		items := make([]any, len(n.Content))
		for i, item := range n.Content {
			items[i] = jsonValue(item)
		}
		return items
	}
	switch {
	case n.Tag == "!!null":
		return nil
	case n.Tag == "!!bool" && (n.Value == "true" || n.Value == "false"):
		return n.Value == "true"
	case n.Tag == "!!int" && json.Valid([]byte(n.Value)), n.Tag == "!!float" && json.Valid([]byte(n.Value)):
		return json.Number(n.Value)
	}
	return n.Value
}
