package conf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What the library says of malformed text, in our words and at the right
// place, which the library itself rarely knows.
func TestSyntaxFindings(t *testing.T) {
	const (
		indentation = "\n    hint: check the indentation and the quotes of this line"
		spacing     = "\n    hint: check the indentation, the quotes, and the space behind \":\" or \"-\""
		colons      = "this \":\" begins a value where none can stand; expected one key on a line\n    hint: check the indentation, the space behind the \":\" of the line above, and put text with \": \" in quotes"
		tab         = "a tab indents this line; expected spaces"
		noKey       = "this does not go on with the map above; expected a key" + indentation
		noDash      = "this does not go on with the list above; expected \"- \"" + indentation
		noColon     = "this line has no \": \"; expected a key and its value" + spacing
		missing     = "\n    hint: look for what is missing: a bracket, a comma, or the space behind a \":\""
		openList    = "this list is not closed or lacks a comma; expected \",\" or \"]\"" + missing
		openMap     = "this map is not closed or lacks a comma; expected \",\" or \"}\"" + missing
		openQuote   = "this quote is not closed; expected its end"
		noContent   = "a value is missing before a \",\", a bracket or the end; expected one"
		star        = "\"*\" begins an alias or an anchor, which needs a name; expected text\n    hint: put text that begins with * or & in quotes"
		directive   = "a directive stands here; expected none\n    hint: remove the line that begins with %"
	)
	for text, want := range map[string]string{
		"a: b: c\n":                              "1:5: " + colons,
		"\na: b: c\n":                            "2:5: " + colons,
		"a: x\n b: y\n":                          "2:3: " + colons,
		"m:\n  a: 1\n   b: 2\n  c: 3\n":          "3:5: " + colons,
		"é: ü: c\n":                              "1:5: " + colons,
		"\n\na:\n  x: 1\n y: 2\n":                "5:2: " + noKey,
		"\na:\n    x: 1\n  y: 2\nb: 3\n":         "4:3: " + noKey,
		"hosts:\n  - a\n - b\n":                  "3:2: " + noKey,
		"a: b\n- c\n":                            "2:1: " + noKey,
		"a: 'it's'\n":                            "1:8: " + noKey,
		"a: \"x\" y\n":                           "1:8: " + noKey,
		"m: {a: b}}\n":                           "1:10: " + noKey,
		"hosts:\n  - a\n  b: c\n":                "3:3: " + noDash,
		"- a\nb: c\n":                            "2:1: " + noDash,
		"a: x\nb\nc: d\n":                        "2:1: " + noColon,
		"a: x\nb\n":                              "2:1: " + noColon,
		"m:\n  a: 1\n  -b\n":                     "3:3: " + noColon,
		"a: |\n x\ny\n":                          "3:1: " + noColon,
		"x: 1\na: [1, 2\nb: x\n":                 "2:4: " + openList,
		"a: [1, 2\n":                             "1:4: " + openList,
		"\n\nb: [1, 2\na: x\n":                   "3:4: " + openList,
		"m: {a: b c: d}\n":                       "1:4: " + openMap,
		"\n\nm: {a: b\n  c: d}\n":                "3:4: " + openMap,
		"a: [b,,c]\n":                            "1:6: " + noContent,
		"m: ]\n":                                 "1:4: " + noContent,
		"a: 'x\nb: y\n":                          "1:4: " + openQuote,
		"\n\na: \"x\nb: y\n":                     "3:4: " + openQuote,
		"\n\na: \"x":                             "3:4: " + openQuote,
		"a: \"x\\y\"\n":                          "1:6: unknown escape in double quotes; expected one like \\n or \\\\\n    hint: use single quotes to write a backslash",
		"\n\na: @x\n":                            "3:4: \"@\" cannot begin a value; expected text\n    hint: put the text in quotes",
		"a: `x`\n":                               "1:4: \"`\" cannot begin a value; expected text\n    hint: put the text in quotes",
		"hosts:\n- *.acme.example\n":             "2:3: " + star,
		"hosts:\n- *\n":                          "2:3: " + star,
		"hosts:\n- a\n- *foo\n":                  "3:3: the alias \"*foo\" has no anchor; expected \"&foo\" earlier in the file\n    hint: put text that begins with * in quotes",
		"a:\n\tb: c\n":                           "2:1: " + tab,
		"a: x\n\thosts: y\n":                     "2:1: " + tab,
		"hosts:\n  - a\n\t- b\n":                 "3:1: " + tab,
		"a: >-\n  b\n\tc\n":                      "3:1: " + tab,
		"a: - b\n":                               "1:4: this \"-\" begins a list where none can stand; expected it on a line of its own",
		"a: x\n...\nb: y\n":                      "3:1: this comes after the end of the document; expected one document in a file",
		"%YAML 1.2\n---\na: x\n":                 "1:9: " + directive,
		"%FOO 1\n---\na: x\n":                    "1:2: " + directive,
		"a: !h!x y\n":                            "1:7: not YAML: found undefined tag handle",
		"a: x\n---\nb: [\n":                      "3:4: " + noContent,
		strings.Repeat("[", 10_100):              "1:10001: nested deeper than 64 levels; expected fewer",
		"a: \xff\n":                              "1:4: byte 0xff is not UTF-8; expected text in UTF-8\n    hint: save the file as UTF-8",
		"é: é\xc3\n":                             "1:5: byte 0xc3 is not UTF-8; expected text in UTF-8\n    hint: save the file as UTF-8",
		"\xff\xfea\x00:\x00":                     "1:1: byte 0xff is not UTF-8; expected text in UTF-8\n    hint: save the file as UTF-8",
		"a: b\nc: \x00\n":                        "2:4: control character U+0000; expected text\n    hint: remove it",
		"a: b\rc: d\n":                           "1:5: control character U+000D; expected text\n    hint: remove it",
		"a: \u2028\n":                            "1:4: control character U+2028; expected text\n    hint: remove it",
		"a: \u0085\n":                            "1:4: control character U+0085; expected text\n    hint: remove it",
		"# " + strings.Repeat("x", MaxFileBytes): "1:1: the file has 16777218 bytes; at most 16777216 are read\n    hint: split it with include",
	} {
		var r Report
		if root := parse("f", []byte(text), &r); root != nil && len(r.Findings()) == 0 {
			t.Errorf("parse(%.40q) found nothing, want %s", text, want)
			continue
		}
		if diff := cmp.Diff("f:"+want, r.Findings()[0].String()); diff != "" {
			t.Errorf("parse(%.40q) (-want +got):\n%s", text, diff)
		}
	}
}

// The exact place is not searched in a large file, and the line is then what
// the library knows.
func TestSyntaxOfLargeFile(t *testing.T) {
	var r Report
	parse("f", []byte(strings.Repeat("# x\n", maxLocateBytes/4)+"a: @\n"), &r)
	want := "f:65537:1: a character of this line cannot begin a value; expected text\n    hint: put the text in quotes"
	if got := r.Findings(); len(got) != 1 || got[0].String() != want {
		t.Errorf("findings = %v, want %s", got, want)
	}
}

func TestDepthIsBounded(t *testing.T) {
	text := "version: 1\ntenants: {a: {hosts: [" + strings.Repeat("{host: a, routes: {b: ", 40) + "x" + strings.Repeat("}}", 40) + "]}}\n"
	want := "nested deeper than 64 levels; expected fewer"
	if got := findings(text); !strings.Contains(got, want) {
		t.Errorf("findings = %s, want %q", got, want)
	}
}

// Nine anchors, each ten times the one before, would be a billion values.
func TestAliasesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("version: 1\nx-0: &r0 {a: {host: b}}\n")
	for i := range 9 {
		b.WriteString("x-" + string(rune('a'+i)) + ": &r" + string(rune('1'+i)) + " {")
		for j := range 10 {
			b.WriteString("k" + string(rune('0'+j)) + ": {host: h, routes: *r" + string(rune('0'+i)) + "}, ")
		}
		b.WriteString("}\n")
	}
	b.WriteString("tenants: {a: {hosts: [{host: c, routes: *r9}]}}\n")
	want := "t.yaml:3:211: the aliases of this file expand to more than 100000 values\n"
	if got := findings(b.String()); got != want {
		t.Errorf("findings = %s, want %s", got, want)
	}
}
