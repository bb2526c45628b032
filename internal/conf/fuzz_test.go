package conf

import (
	"bytes"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
)

// FuzzDecode feeds any text to the decoder: it never panics, ends soon, says
// the same twice, finds things only where the file has them, and accepts
// nothing that the schema refuses.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "---\n", "version: 1\n", "version: 1\n---\n", "- a\n", "a: b: c\n", "\xff", "a: 'x\n", "\ufeffversion: 1",
		"version: 1\nlisten: {http: ':80', https: [':443', {address: ':1', peers: [a]}]}\n",
		"version: 1\ntenants:\n  a:\n    hosts: [a, {host: b, routes: {/: c}}]\n    timeouts: {connect: 1h30m}\n    body: 64MiB\n",
		"version: 1\ntenants: {a: {hosts: [], status: 403, levels: [1], set: {x-a: b}, weights: {a: 1}, open: true, plain: ~}}\n",
		"x-a: &a {host: b}\nversion: 1\ntenants: {c: {hosts: [*a, *a]}}\n",
		"version: 1\ntenants: {a: {hosts: [{host: a, routes: &r {b: {host: c, routes: *r}}}]}}\n",
		"version: 1\r\nuntil: 2027-01-31\r\nkey: {env: KEY}\r\n",
		"? [a]\n: b\n<<: {}\n!!str c: !foo d\n\"\": x\n",
		"hosts:\n- *.acme.example\n", "a:\n\tb: c\n", "a: |\n x\ny\n", "%YAML 1.2\n---\n", "a: # b\n  # c\n- d",
	} {
		f.Add([]byte(seed))
	}
	schema := sampleSchema(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 64<<10 {
			return
		}
		decoder := NewDecoder()
		var into, again sampleFile
		var r, repeated Report
		start := time.Now()
		decoder.Decode("f", text, &into, &r)
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("took %v", took)
		}
		for _, finding := range r.Findings() {
			if !within(text, finding.Pos) {
				t.Errorf("%v stands outside the file", finding)
			}
		}
		decoder.Decode("f", text, &again, &repeated)
		if diff := cmp.Diff(r.Findings(), repeated.Findings()); diff != "" {
			t.Errorf("the second time differs:\n%s", diff)
		}
		if r.Faults() == 0 && !hasAlias(t, text) {
			if err := validate(t, schema, string(text)); err != nil {
				t.Errorf("accepted, and the schema refuses it: %v", err)
			}
		}
	})
}

// within reports whether p is a place of text; a missing value may stand right
// behind the last character of a line.
func within(text []byte, p Pos) bool {
	lines := bytes.Split(text, []byte("\n"))
	return p.File == "f" && 1 <= p.Line && p.Line <= len(lines) &&
		1 <= p.Col && p.Col <= utf8.RuneCount(lines[p.Line-1])+1
}

func hasAlias(t *testing.T, text []byte) bool {
	var node yaml.Node
	if err := yaml.Unmarshal(text, &node); err != nil {
		t.Fatal(err)
	}
	var look func(n *yaml.Node) bool
	look = func(n *yaml.Node) bool {
		for _, inner := range n.Content {
			if look(inner) {
				return true
			}
		}
		return n.Kind == yaml.AliasNode
	}
	return look(&node)
}
