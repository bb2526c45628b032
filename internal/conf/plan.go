package conf

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"
)

// kind is what a plan decodes.
type kind uint8

const (
	kindString kind = iota
	kindBool
	kindInt
	kindScalar
	kindPointer // to a struct
	kindStruct
	kindAt
	kindList
	kindOneOrMany
	kindMap
)

// plan is a declaration, read once by reflection.
type plan struct {
	kind   kind
	typ    reflect.Type
	elem   *plan    // of a pointer or container
	enum   []string // the words allowed; of a string or int
	scalar Type     // of a scalar

	// Of a struct:
	fields []*field // in the order of the declaration, embedded ones inlined
	byName map[string]*field
	later  []string
	moved  []moved
	short  *field
	checks [][]int // where a Checker is: the struct itself (nil) and exported embedded ones
	pos    [][]int // fields of type Pos
	whole  bool
}

// field is one declared key.
type field struct {
	name     string
	index    []int
	required bool
	one      bool // exactly one of the fields so marked is written
	plan     *plan
	doc      string
	def      string
	example  string
	also     []string // what others call it, folded
	on, off  string   // what stands for the words of a switch
}

// moved is keys that are looked for in a struct and stand elsewhere.
type moved struct {
	keys []string // folded
	to   string
}

var (
	posType     = reflect.TypeFor[Pos]()
	secretType  = reflect.TypeFor[Secret]()
	laterType   = reflect.TypeFor[Later]()
	movedType   = reflect.TypeFor[Elsewhere]()
	wholeType   = reflect.TypeFor[Whole]()
	scalarType  = reflect.TypeFor[Scalar]()
	checkerType = reflect.TypeFor[Checker]()
	shapedType  = reflect.TypeFor[shaped]()
)

// Decoder decodes files and keeps what it learned about the declarations: use
// one for many files. It is safe for concurrent use.
type Decoder struct {
	mu    sync.Mutex
	plans map[reflect.Type]*plan // finished once mu is released
}

// NewDecoder returns a Decoder that knows no declaration yet.
func NewDecoder() *Decoder {
	return &Decoder{plans: make(map[reflect.Type]*plan)}
}

// planOf returns the plan of a declaration, which is a pointer to a struct or
// a struct.
func (d *Decoder) planOf(root any) *plan {
	t := reflect.TypeOf(root)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		panic(fmt.Sprintf("conf: %T is not a declaration: expected a struct", root))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.plan(t)
}

// plan returns the plan of t. It is stored before it is filled, so that a
// declaration may contain itself.
func (d *Decoder) plan(t reflect.Type) *plan {
	if p, ok := d.plans[t]; ok {
		return p
	}
	p := &plan{typ: t}
	d.plans[t] = p
	d.fill(p, nil)
	return p
}

// enumPlan returns a plan of t whose words are limited to enum.
func (d *Decoder) enumPlan(t reflect.Type, enum []string) *plan {
	p := &plan{typ: t}
	d.fill(p, enum)
	return p
}

func (d *Decoder) fill(p *plan, enum []string) {
	t := p.typ
	elem := func(t reflect.Type) *plan {
		if enum == nil {
			return d.plan(t)
		}
		return d.enumPlan(t, enum)
	}
	switch {
	case reflect.PointerTo(t).Implements(scalarType):
		p.kind = kindScalar
		p.scalar = reflect.New(t).Interface().(Scalar).ConfType()
	case t.Implements(shapedType):
		p.kind, p.elem = containerOf(t, elem)
	case t.Kind() == reflect.String:
		p.kind, p.enum = kindString, enum
	case t.Kind() == reflect.Int:
		p.kind, p.enum = kindInt, enum
	case t.Kind() == reflect.Bool:
		p.kind = kindBool
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct:
		p.kind, p.elem = kindPointer, elem(t.Elem())
	case t.Kind() == reflect.Struct:
		p.kind = kindStruct
		d.fillStruct(p)
	default:
		panic(fmt.Sprintf("conf: %v cannot be declared", t))
	}
	if p.kind == kindOneOrMany && fits(&yaml.Node{Kind: yaml.SequenceNode}, p.elem) {
		panic(fmt.Sprintf("conf: %v: an item may be a list itself", t))
	}
	if enum != nil && p.elem == nil && p.enum == nil {
		panic(fmt.Sprintf("conf: %v cannot have an enum", t))
	}
}

func containerOf(t reflect.Type, elem func(reflect.Type) *plan) (kind, *plan) {
	switch reflect.Zero(t).Interface().(shaped).confShape() {
	case shapeAt:
		return kindAt, elem(t.Field(0).Type)
	case shapeList:
		return kindList, elem(t.Field(0).Type.Elem().Field(0).Type)
	case shapeOneOrMany:
		return kindOneOrMany, elem(t.Field(0).Type.Elem().Field(0).Type)
	}
	return kindMap, elem(t.Elem().Field(2).Type)
}

func (d *Decoder) fillStruct(p *plan) {
	p.byName = make(map[string]*field)
	d.addFields(p, p.typ, nil)
	p.checkSynonyms()
	// The method may be promoted from an embedded struct, which is then asked
	// twice: the report drops what it says the second time.
	if reflect.PointerTo(p.typ).Implements(checkerType) {
		p.checks = append(p.checks, nil)
	}
	if p.short != nil && fits(&yaml.Node{Kind: yaml.MappingNode}, p.short.plan) {
		panic(fmt.Sprintf("conf: %v: the short key %q may be a map itself", p.typ, p.short.name))
	}
}

// addFields adds the fields of t, a struct at index within the struct of p.
func (d *Decoder) addFields(p *plan, t reflect.Type, index []int) {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(index[:len(index):len(index)], i)
		tag, tagged := sf.Tag.Lookup("conf")
		switch {
		case sf.Type == laterType && tagged:
			p.later = append(p.later, strings.Split(tag, ",")...)
		case sf.Type == movedType && tagged:
			p.moved = append(p.moved, moved{strings.Split(tag, ","), sf.Tag.Get("doc")})
		case sf.Type == wholeType && sf.Anonymous:
			p.whole = true
		case tagged:
			d.addField(p, sf, at)
		case sf.Type == posType && sf.IsExported():
			p.pos = append(p.pos, at)
		case sf.Anonymous && sf.Type.Kind() == reflect.Struct:
			d.addFields(p, sf.Type, at)
			if reflect.PointerTo(sf.Type).Implements(checkerType) && sf.IsExported() {
				p.checks = append(p.checks, at)
			}
		}
	}
}

// checkSynonyms holds what keys are also called to names that are free.
func (p *plan) checkSynonyms() {
	taken := make(map[string]bool)
	for _, name := range append(p.names(), p.later...) {
		taken[folded(name)] = true
	}
	claim := func(words []string) {
		for _, word := range words {
			if word != folded(word) || taken[word] {
				panic(fmt.Sprintf("conf: %v: %q is a key already, or has case, hyphens or underscores", p.typ, word))
			}
			taken[word] = true
		}
	}
	for _, f := range p.fields {
		claim(f.also)
	}
	for _, m := range p.moved {
		claim(m.keys)
	}
}

func (d *Decoder) addField(p *plan, sf reflect.StructField, index []int) {
	name, options, _ := strings.Cut(sf.Tag.Get("conf"), ",")
	if !sf.IsExported() || name == "" || p.byName[name] != nil {
		panic(fmt.Sprintf("conf: %v.%s: a key is exported and has a name of its own", p.typ, sf.Name))
	}
	f := &field{
		name:    name,
		index:   index,
		doc:     sf.Tag.Get("doc"),
		def:     sf.Tag.Get("default"),
		example: sf.Tag.Get("example"),
		on:      sf.Tag.Get("on"),
		off:     sf.Tag.Get("off"),
	}
	if also := sf.Tag.Get("also"); also != "" {
		f.also = strings.Split(also, ",")
	}
	if enum, ok := sf.Tag.Lookup("enum"); ok {
		f.plan = d.enumPlan(sf.Type, strings.Split(enum, "|"))
	} else {
		f.plan = d.plan(sf.Type)
	}
	p.fields = append(p.fields, f)
	p.byName[name] = f
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "":
		case "required":
			f.required = true
		case "one":
			f.one = true
		case "short":
			p.short = f
		default:
			panic(fmt.Sprintf("conf: %v.%s: unknown option %q", p.typ, sf.Name, option))
		}
	}
}
