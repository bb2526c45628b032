package conf

import (
	"cmp"
	"strconv"
)

// Pos is the place in a file where a value or a key begins. The zero Pos
// stands for a built-in default.
type Pos struct {
	File string // as the operator would type it
	Line int    // from 1; 0 when the whole file is meant
	Col  int    // from 1, in characters
}

// IsZero reports whether p is no place in any file.
func (p Pos) IsZero() bool { return p == Pos{} }

// String returns "file:line:col", "file" when there is no line, and
// "built-in" for the zero Pos.
func (p Pos) String() string {
	switch {
	case p.IsZero():
		return "built-in"
	case p.Line == 0:
		return p.File
	}
	return p.File + ":" + strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Col)
}

// Compare orders positions by file, line and column, as sort functions expect.
func (p Pos) Compare(q Pos) int {
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Col, q.Col))
}
