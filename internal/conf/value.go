package conf

// At is one value and where it stood.
type At[T any] struct {
	V   T
	Pos Pos
}

// Set reports whether the value is written in a file.
func (a At[T]) Set() bool { return !a.Pos.IsZero() }

// Or returns the value if it is written, and otherwise the built-in one.
func (a At[T]) Or(builtin T) T {
	if a.Set() {
		return a.V
	}
	return builtin
}

// List is a list and where it stood.
type List[T any] struct {
	Items []At[T]
	Pos   Pos
}

// Set reports whether the list is written in a file; it may be empty.
func (l List[T]) Set() bool { return !l.Pos.IsZero() }

// Empty reports whether the list is written and has no items. One with a fault,
// which has none either, is not empty.
func (l List[T]) Empty() bool { return l.Items != nil && len(l.Items) == 0 }

// Values returns the items without their positions.
func (l List[T]) Values() []T { return values(l.Items) }

// OneOrMany is a List that may be written as its single item.
type OneOrMany[T any] struct {
	Items []At[T]
	Pos   Pos
}

// Set reports whether an item or a list is written in a file.
func (l OneOrMany[T]) Set() bool { return !l.Pos.IsZero() }

// Empty reports whether a list is written that has no items.
func (l OneOrMany[T]) Empty() bool { return l.Items != nil && len(l.Items) == 0 }

// Values returns the items without their positions.
func (l OneOrMany[T]) Values() []T { return values(l.Items) }

func values[T any](items []At[T]) []T {
	if items == nil {
		return nil
	}
	plain := make([]T, len(items))
	for i, item := range items {
		plain[i] = item.V
	}
	return plain
}

// Map is a map whose keys are the operator's own names, in the order in which
// they are written. No key stands twice.
type Map[T any] []Entry[T]

// Entry is one key of a Map, where the key stood, and its value.
type Entry[T any] struct {
	Key string
	Pos Pos
	V   T
}

// Get returns the entry of key, or nil. It looks at each entry in turn.
func (m Map[T]) Get(key string) *Entry[T] {
	for i := range m {
		if m[i].Key == key {
			return &m[i]
		}
	}
	return nil
}

// Later is the type of a field whose tag lists keys that this version does not
// have yet: conf:"health,limits". Whoever writes one is told just that.
type Later struct{}

// Elsewhere is the type of a field whose tag lists keys that are looked for in
// this struct and stand in another place, which doc says: conf:"connections"
// doc:"connections of one client are bounded by limits of listen.https".
type Elsewhere struct{}

// Whole is embedded in a struct whose keys stand or fall together, such as
// "one of file, env, credential": [Merge] replaces it as a whole.
type Whole struct{}

// Scalar is a value that is written as one word or line of text. Its methods
// have pointer receivers.
type Scalar interface {
	// ParseConf sets the value from text. Its error is the finding's text: what
	// is wrong with the text as written, and what is expected. A [Refusal]
	// carries a hint as well.
	ParseConf(text string) error
	// ConfType describes the type; it is asked of the zero value.
	ConfType() Type
}

// Type describes a Scalar in the schema and the reference.
type Type struct {
	Name    string // a noun without its article: "duration"
	Unit    string // the units that may be written, for the reader
	Pattern string // what every good text matches, anchored, ECMA-262 and RE2; may be empty
	Example string
	Private bool // what is written may be a secret: no finding quotes it
}

// Refusal is an error of ParseConf with a hint.
type Refusal struct{ Text, Hint string }

// Error returns the text alone.
func (r *Refusal) Error() string { return r.Text }

// Checker is a struct that has something to say about its keys together. It is
// called once the struct at p was decoded without a fault.
type Checker interface {
	CheckConf(p Pos, r *Report)
}

// shape tells the generic containers of this package apart by reflection.
type shape uint8

const (
	shapeAt shape = iota
	shapeList
	shapeOneOrMany
	shapeMap
)

type shaped interface{ confShape() shape }

func (At[T]) confShape() shape        { return shapeAt }
func (List[T]) confShape() shape      { return shapeList }
func (OneOrMany[T]) confShape() shape { return shapeOneOrMany }
func (Map[T]) confShape() shape       { return shapeMap }
