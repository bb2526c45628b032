package conf

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with a file under testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// sampleSchema compiles the schema of sampleFile.
func sampleSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := Schema(&sampleFile{}, "a sample")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("sample.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("sample.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validate judges YAML text by schema, as an editor would.
func validate(t testing.TB, schema *jsonschema.Schema, text string) error {
	t.Helper()
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(text), &node); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(jsonValue(node.Content[0]))
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestSchemaGolden(t *testing.T) {
	text, err := Schema(&sampleFile{}, "a sample")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "schema.json", text)
}

// What Decode accepts the schema accepts, and what Decode refuses for its
// shape the schema refuses.
func TestSchemaAgreesWithDecode(t *testing.T) {
	schema := sampleSchema(t)
	const v, site = "version: 1\n", "version: 1\ntenants: {a: {hosts: [], "
	for text, accepted := range map[string]bool{
		v:                                      true,
		v + "x-any: [1, {a: ~}]\n":             true,
		v + "strict: true\n":                   true,
		v + "until: 2027-01-31\n":              true,
		v + "listen: {}\n":                     true,
		v + "listen: {http: ':80'}\n":          true,
		v + "listen: {http: [':80', ':81']}\n": true,
		v + "listen: {http: []}\n":             true,
		v + "listen: {https: [':443']}\n":      true,
		v + "listen: {https: [{address: ':443', peers: [1, 2.5, true, a]}]}\n": true,
		v + "key: {file: f}\n": true,
		v + "sets: {a: [], b: [c, {host: d}], e: {entries: [f], owner: g}}\n": true,
		v + "sets: {a: b}\n":                    false,
		v + "sets: {a: [{hots: b}]}\n":          false,
		v + "sets: {a: [[]]}\n":                 false,
		v + "tenants: {}\n":                     true,
		site + "plain: a}}\n":                   true,
		site + "plain: 12}}\n":                  true,
		site + "plain: true}}\n":                true,
		site + "plain: \"null\"}}\n":            true,
		site + "open: false}}\n":                true,
		site + "status: 403}}\n":                true,
		site + "status: \"403\"}}\n":            true,
		site + "status: handshake}}\n":          true,
		site + "levels: [1, 3]}}\n":             true,
		site + "weights: {x-y: -3}}}\n":         true,
		site + "timeouts: {connect: 1h30m}}}\n": true,
		site + "body: 64MiB}}\n":                true,
		"version: 1\ntenants: {a: {hosts: [a, {host: b, routes: {/: c, /d: {host: e, body: 1B}}}]}}\n": true,

		"{}\n":                                 false,
		"[]\n":                                 false,
		"version: 2\n":                         false,
		"version: \"1\"\n":                     false,
		v + "elephant: 1\n":                    false,
		v + "fleet: 1\n":                       false,
		v + "strict: \"true\"\n":               false,
		v + "strict: yes\n":                    false,
		v + "strict: 1\n":                      false,
		v + "strict:\n":                        false,
		v + "until: 2027-13-31\n":              false,
		v + "until: soon\n":                    false,
		v + "listen: []\n":                     false,
		v + "listen: ':80'\n":                  false,
		v + "listen: {https: ':443'}\n":        false,
		v + "listen: {https: [[]]}\n":          false,
		v + "listen: {https: [{}]}\n":          false,
		v + "listen: {https: ['443']}\n":       false,
		v + "listen: {https: [443]}\n":         false,
		v + "listen: {http: {}}\n":             false,
		v + "listen: {http: [~]}\n":            false,
		v + "listen: {http: [[':80']]}\n":      false,
		v + "listen: {strict: true}\n":         false,
		v + "key: {}\n":                        false,
		v + "key: {file: a, env: b}\n":         false,
		v + "key: {x-file: a}\n":               false,
		v + "tenants: {a: {}}\n":               false,
		v + "tenants: {a: ~}\n":                false,
		v + "tenants: {\"\": {hosts: []}}\n":   false,
		v + "tenants: []\n":                    false,
		site + "plain: ~}}\n":                  false,
		site + "plain: []}}\n":                 false,
		site + "status: 500}}\n":               false,
		site + "levels: [4]}}\n":               false,
		site + "levels: [\"1\"]}}\n":           false,
		site + "weights: {y: 1.5}}}\n":         false,
		site + "weights: {y: \"1\"}}}\n":       false,
		site + "timeouts: {connect: 30}}}\n":   false,
		site + "timeouts: {connect: 30x}}}\n":  false,
		site + "timeouts: {connect: 1.5h}}}\n": false,
		site + "timeouts: {connect: -1s}}}\n":  false,
		site + "body: 64}}\n":                  false,
		site + "body: 64MB}}\n":                false,
		site + "health: x}}\n":                 false,
		"version: 1\ntenants: {a: {hosts: [{host: b, routes: {/: {hots: e}}}]}}\n": false,
	} {
		found := findings(text)
		if (found == "") != accepted {
			t.Errorf("Decode accepts %q: %t, want %t\n%s", text, !accepted, accepted, found)
		}
		if err := validate(t, schema, text); (err == nil) != accepted {
			t.Errorf("the schema accepts %q: %t, want %t: %v", text, !accepted, accepted, err)
		}
	}
}

func TestReferenceGolden(t *testing.T) {
	text, err := json.MarshalIndent(Reference(sampleFile{}), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "reference.json", append(text, '\n'))
}

func TestBadDeclarations(t *testing.T) {
	type inner struct{}
	for name, declaration := range map[string]any{
		"not a struct": new(int),
		"a float": &struct {
			A float64 `conf:"a"`
		}{},
		"a Go map": &struct {
			A map[string]string `conf:"a"`
		}{},
		"a pointer": &struct {
			A *string `conf:"a"`
		}{},
		"no name": &struct {
			A string `conf:",required"`
		}{},
		"a name twice": &struct {
			A, B string `conf:"a"`
		}{},
		"unknown option": &struct {
			A string `conf:"a,optional"`
		}{},
		"not exported": &struct {
			a string `conf:"a"`
		}{},
		"enum of bools": &struct {
			A bool `conf:"a" enum:"true"`
		}{},
		"enum of maps": &struct {
			A inner `conf:"a" enum:"x"`
		}{},
		"list of lists": &struct {
			A OneOrMany[List[string]] `conf:"a"`
		}{},
		"short choice": &struct {
			A OneOrMany[inner] `conf:"a,short"`
		}{},
		"short map": &struct {
			A inner `conf:"a,short"`
		}{},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("Decode into %T does not panic", declaration)
				}
			}()
			Decode("f", []byte("a: b\n"), declaration, new(Report))
		})
	}
}
