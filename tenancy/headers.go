package tenancy

// HeaderRules is what a route changes in the fields of requests and answers.
// Removals come first, then the fields that are set replace those of the same
// name. It is immutable: callers must not write to its slices.
type HeaderRules struct {
	RequestSet     []Field
	RequestRemove  []string // lower case
	ResponseSet    []Field
	ResponseRemove []string // lower case
}

// Field is one field to set, checked to be well-formed (RFC 9110 section 5).
type Field struct {
	Name  string // as written
	Lower string // Name in lower case
	Value string
}
