package main

import (
	"encoding/json"
	"fmt"
	"io"
)

// printJSON prints v, indented, for people and programs alike.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printFindings prints each finding as operators see it: position, what is
// wrong, what to do.
func printFindings[F fmt.Stringer](w io.Writer, findings []F) {
	for _, f := range findings {
		fmt.Fprintln(w, f)
	}
}

// plural returns "1 tenant" or "2 tenants".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
