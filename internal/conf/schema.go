package conf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Schema returns the JSON Schema (draft 2020-12) of a declaration, indented
// and in the order of the declaration. It refuses what [Decode] refuses in
// shape: unknown and missing keys, wrong kinds, words outside an enum, scalars
// outside their pattern. It judges the file as YAML 1.2 tools load it, so it
// cannot see anchors, duplicate keys or how a number was spelled.
func Schema(root any, title string) ([]byte, error) {
	s := schemaWriter{names: map[reflect.Type]string{}}
	p := NewDecoder().planOf(root)
	body := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", title},
	}
	body = append(body, s.structure(p)...)
	var defs object
	for i := 0; i < len(s.queue); i++ {
		defs = append(defs, member{s.names[s.queue[i].typ], s.structure(s.queue[i])})
	}
	if defs != nil {
		body = append(body, member{"$defs", defs})
	}
	compact, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("schema of %v: %w", p.typ, err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, compact, "", "  "); err != nil {
		return nil, fmt.Errorf("schema of %v: %w", p.typ, err)
	}
	indented.WriteByte('\n')
	return indented.Bytes(), nil
}

// member and object are a JSON object that keeps its order.
type member struct {
	key   string
	value any
}

type object []member

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// schemaWriter gives each struct below the root one place under $defs, so that
// a declaration may contain itself.
type schemaWriter struct {
	names map[reflect.Type]string
	queue []*plan
}

func (s *schemaWriter) of(p *plan) object {
	switch p.kind {
	case kindAt, kindPointer:
		return s.of(p.elem)
	case kindList:
		return object{{"type", "array"}, {"items", s.of(p.elem)}}
	case kindOneOrMany:
		one := s.of(p.elem)
		return object{{"oneOf", []object{one, {{"type", "array"}, {"items", one}}}}}
	case kindMap:
		return object{
			{"type", "object"},
			{"propertyNames", object{{"minLength", 1}}},
			{"additionalProperties", s.of(p.elem)},
		}
	case kindStruct:
		return object{{"$ref", "#/$defs/" + s.name(p)}}
	}
	return scalarSchema(p)
}

// name returns the name of p under $defs and sees to it that it gets there.
func (s *schemaWriter) name(p *plan) string {
	if name, ok := s.names[p.typ]; ok {
		return name
	}
	name := path.Base(p.typ.PkgPath()) + "." + p.typ.Name()
	s.names[p.typ] = name
	s.queue = append(s.queue, p)
	return name
}

// structure returns the schema of the struct p itself.
func (s *schemaWriter) structure(p *plan) object {
	properties, required := object{}, []string{}
	var one []object // each demands one of the alternative keys
	for _, f := range p.fields {
		properties = append(properties, member{f.name, s.property(f)})
		if f.required {
			required = append(required, f.name)
		}
		if f.one {
			one = append(one, object{{"required", []string{f.name}}})
		}
	}
	whole := object{{"type", "object"}, {"properties", properties}}
	if len(required) > 0 {
		whole = append(whole, member{"required", required})
	}
	if one != nil {
		whole = append(whole, member{"oneOf", one})
	}
	whole = append(whole,
		member{"patternProperties", object{{"^x-", true}}},
		member{"additionalProperties", false})
	if p.short == nil || slices.ContainsFunc(p.fields, func(f *field) bool {
		return f != p.short && f.required
	}) {
		return whole
	}
	return object{{"oneOf", []object{s.of(p.short.plan), whole}}}
}

// property returns the schema of the value of f with what is known of it.
func (s *schemaWriter) property(f *field) object {
	o := s.of(f.plan)
	description := f.doc
	if f.def != "" {
		description = strings.TrimSpace(description + " (default: " + f.def + ")")
	}
	if description != "" {
		o = append(o, member{"description", description})
	}
	if f.example != "" {
		if value, err := exampleValue(f.example); err == nil {
			o = append(o, member{"examples", []any{value}})
		}
	}
	return o
}

func scalarSchema(p *plan) object {
	switch p.kind {
	case kindBool:
		return object{{"type", "boolean"}}
	case kindInt:
		if p.enum != nil {
			return object{{"enum", enumValues(p, false)}}
		}
		return object{{"type", "integer"}}
	case kindString:
		if p.enum != nil {
			return object{{"enum", enumValues(p, true)}}
		}
		return object{{"type", textTypes("")}}
	}
	o := object{{"type", textTypes(p.scalar.Pattern)}}
	if p.scalar.Pattern != "" {
		o = append(o, member{"pattern", p.scalar.Pattern})
	}
	return o
}

// textTypes returns the types that a text matching pattern may have once YAML
// was loaded: 8080 and true are text to a declaration that wants text.
func textTypes(pattern string) any {
	types := []string{"string"}
	if pattern == "" {
		return append(types, "number", "boolean")
	}
	re := regexp.MustCompile(pattern)
	if slices.ContainsFunc([]string{"0", "1", "12", "403", "8080", "65535", "1.5"}, re.MatchString) {
		types = append(types, "number")
	}
	if re.MatchString("true") || re.MatchString("false") {
		types = append(types, "boolean")
	}
	if len(types) == 1 {
		return types[0]
	}
	return types
}

// enumValues returns the words of an enum as YAML loads them, and as strings
// too where they may be quoted.
func enumValues(p *plan, quoted bool) []any {
	var all []any
	for _, word := range p.enum {
		value, err := exampleValue(word)
		_, isText := value.(string)
		if quoted || err != nil {
			all = append(all, word)
		}
		if err == nil && !isText {
			all = append(all, value)
		}
	}
	return all
}
