package proxy

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"gatehouse/internal/http1"
)

// readRules reads from the source which rules there are: those of the parser
// with the status that requests get, those of this package with 0.
func readRules(t *testing.T) map[string]int {
	t.Helper()
	rules := make(map[string]int)
	inSource(t, "../internal/http1/errors.go", func(n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 || fmt.Sprint(call.Fun) != "refuse" {
			return
		}
		status, err := strconv.Atoi(literal(call.Args[0]))
		if err != nil {
			t.Fatal(err)
		}
		rules[literal(call.Args[1])] = status
	})
	for _, file := range []string{"answer.go", "http1.go", "streamhead.go"} {
		inSource(t, file, func(n ast.Node) {
			if pair, ok := n.(*ast.KeyValueExpr); ok && fmt.Sprint(pair.Key) == "Text" {
				rules[literal(pair.Value)] = 0
			}
		})
	}
	return rules
}

func inSource(t *testing.T, file string, visit func(ast.Node)) {
	t.Helper()
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(source, func(n ast.Node) bool {
		visit(n)
		return true
	})
}

func literal(e ast.Expr) string {
	text, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	if plain, err := strconv.Unquote(text.Value); err == nil {
		return plain
	}
	return text.Value
}

// brokenRule returns the first rule of the parser that a case breaks, "" for
// none.
func brokenRule(kind string, c *corpusCase) string {
	if kind == "requests" {
		return textOf(readRequests([]byte(c.in)))
	}
	method, _, _ := strings.Cut(c.in, " ")
	for i, a := range c.answers {
		text := a.text
		if i == len(c.answers)-1 {
			text += c.later
		}
		if broken := textOf(readAnswers([]byte(text), method)); broken != "" {
			return broken
		}
	}
	return ""
}

func textOf(err error) string {
	if broken, ok := err.(*http1.Error); ok {
		return broken.Text
	}
	return ""
}

func readRequests(rest []byte) error {
	for len(rest) > 0 {
		var h http1.RequestHead
		n, err := h.Parse(rest, http1.DefaultLimits())
		if err != nil {
			return err
		}
		if rest, err = readBody(rest[n:], h.Framing, h.ContentLength); err != nil {
			return err
		}
	}
	return nil
}

// readAnswers reads interim answers and the final one.
func readAnswers(rest []byte, method string) error {
	var h http1.ResponseHead
	for h.Status < 200 && h.Status != statusSwitching {
		n, err := h.Parse(rest, []byte(method), http1.DefaultLimits())
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	_, err := readBody(rest, h.Framing, h.ContentLength)
	return err
}

func readBody(rest []byte, framing http1.Framing, length int64) ([]byte, error) {
	if framing != http1.Chunked {
		return rest[min(max(length, 0), int64(len(rest))):], nil
	}
	var chunks http1.ChunkDecoder
	chunks.Reset(http1.DefaultLimits())
	for done := false; !done && len(rest) > 0; {
		_, n, ended, err := chunks.Next(rest)
		if err != nil {
			return nil, err
		}
		rest, done = rest[n:], ended
	}
	return rest, nil
}
