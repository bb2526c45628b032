package gateway

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"gatehouse/internal/demo"
)

// schemaOf compiles what `gatehouse schema` prints, by a validator that is not
// ours.
func schemaOf(t *testing.T, tenant bool) *jsonschema.Schema {
	t.Helper()
	text, err := Schema(tenant)
	must(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	must(t, err)
	compiler := jsonschema.NewCompiler()
	must(t, compiler.AddResource("schema.json", doc))
	schema, err := compiler.Compile("schema.json")
	must(t, err)
	return schema
}

// judge validates a file as an editor does, which has read it as YAML.
func judge(t *testing.T, schema *jsonschema.Schema, text string) error {
	t.Helper()
	var node yaml.Node
	must(t, yaml.Unmarshal([]byte(text), &node))
	asJSON, err := json.Marshal(valueOf(t, node.Content[0]))
	must(t, err)
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	must(t, err)
	return schema.Validate(value)
}

// valueOf returns a node as YAML 1.2 has it: what looks like a date is text.
func valueOf(t *testing.T, node *yaml.Node) any {
	t.Helper()
	switch node.Kind {
	case yaml.MappingNode:
		m := make(map[string]any)
		for i := 0; i < len(node.Content); i += 2 {
			m[node.Content[i].Value] = valueOf(t, node.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range node.Content {
			list = append(list, valueOf(t, item))
		}
		return list
	case yaml.AliasNode:
		return valueOf(t, node.Alias)
	}
	if node.Tag == "!!timestamp" {
		return node.Value
	}
	var value any
	must(t, node.Decode(&value))
	return value
}

// TestSchemaAcceptsExamples: the example tree, the demonstration's table and the
// files that pages show are good by the schema.
func TestSchemaAcceptsExamples(t *testing.T) {
	dir := t.TempDir()
	_, err := demo.WriteTable(dir, demo.Places{HTTP: 8080, HTTPS: 8443, Acme: "127.0.0.1:1", Globex: "127.0.0.1:2"})
	must(t, err)
	files := make(map[string]string)
	for _, pattern := range []string{"../../configs/*.yaml", "../../configs/tenants/*.yaml", dir + "/*.yaml", dir + "/tenants/*.yaml"} {
		names, err := filepath.Glob(pattern)
		must(t, err)
		for _, name := range names {
			text, err := os.ReadFile(name)
			must(t, err)
			files[name] = string(text)
		}
	}
	for _, page := range []string{"README.md", "docs/certificates.md"} {
		markdown, err := os.ReadFile("../../" + page)
		must(t, err)
		for _, block := range strings.Split(string(markdown), "```yaml\n# ")[1:] {
			text, _, _ := strings.Cut(block, "\n```")
			name, _, _ := strings.Cut(text, "\n")
			files[page+"/"+name] = "# " + text
		}
	}
	if len(files) < 12 {
		t.Errorf("only %d examples: %q", len(files), slices.Sorted(maps.Keys(files)))
	}
	main, tenant := schemaOf(t, false), schemaOf(t, true)
	for name, text := range files {
		schema := tenant
		if strings.Contains(text, "\nversion: ") {
			schema = main
		}
		if err := judge(t, schema, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefusesBrokenShapes: what is broken in shape is marked by editors,
// and check refuses it, too.
func TestSchemaRefusesBrokenShapes(t *testing.T) {
	const main = "version: 1\n"
	schema := schemaOf(t, false)
	must(t, judge(t, schema, main))
	for _, text := range []string{
		"{}", "version: 2", "version: one", "[]",
		main + "lisen: {}",
		main + "listen: []",
		main + "listen: {http: \":80\"}",
		main + "listen: {https: [{}]}",
		main + "listen: {https: [{adress: \":443\"}]}",
		main + "listen: {http3: true}",
		main + "listen: {public_port: \"443 tcp\"}",
		main + "listen: {health: {}}",
		main + "listen: {health: {address: \":1\", alow: []}}",
		main + "listen: {admin: [\":1\"]}",
		main + "tls: {profile: ancient}",
		main + "tls: {certificates: {cert: a, kye: {file: b}}}",
		main + "tls: {certificates: {cert: a, key: b}}",
		main + "tls: {certificates: {cert: a, key: {file: b, env: c}}}",
		main + "tls: {certificates: {acme: {mail: ops@host.example}}}",
		main + "tls: {hsts: {max_age: 730}}",
		main + "tls: {hsts: {preload: maybe}}",
		main + "state: [a]",
		main + "seal: {}",
		main + "seal: key",
		main + "log: {query: some}",
		main + "shutdown: {drain: 30}",
		main + "shutdown: {drain: fast}",
		main + "include: tenants/*.yaml",
		main + "block: set:a",
		main + "require: {public: perhaps}",
		main + "require: {backend_tls: \"true\"}",
		main + "sets: [a]",
		main + "sets: {a: {entires: []}}",
		main + "sets: {a: [{ip: 1.2.3.4, untill: 2030-01-01}]}",
		main + "sets: {a: [{ip: 1.2.3.4, until: soon}]}",
		main + "groups: {a: {hosts: [a.example]}}",
		main + "defaults: {access: {public: all}}",
		main + "tenants: {a: {hosts: [a.example]}}",
	} {
		wantRefused(t, schema, text, func(dir string) { put(t, dir, "gatehouse.yaml", text+"\n") })
	}

	const tenant = "hosts: [a.example]\naccess: {allow: [192.0.2.1]}\nbackends: [\"http://10.0.0.1\"]\n"
	schema = schemaOf(t, true)
	must(t, judge(t, schema, tenant))
	for _, text := range []string{
		"{}", "hosts: [a.example]", "access: {allow: []}",
		strings.Replace(tenant, "hosts", "hots", 1),
		strings.Replace(tenant, "[a.example]", "a.example", 1),
		strings.Replace(tenant, "[a.example]", "[{name: a.example}]", 1),
		strings.Replace(tenant, "[a.example]", "[[a.example]]", 1),
		strings.Replace(tenant, "{allow: [192.0.2.1]}", "[192.0.2.1]", 1),
		strings.Replace(tenant, "allow", "alow", 1),
		strings.Replace(tenant, "allow: [192.0.2.1]", "allow: [192.0.2.1], refuse_with: 418", 1),
		strings.Replace(tenant, "[\"http://10.0.0.1\"]", "[{host: backend}]", 1),
		strings.Replace(tenant, "[\"http://10.0.0.1\"]", "[{url: \"http://10.0.0.1\", weight: heavy}]", 1),
		strings.Replace(tenant, "[\"http://10.0.0.1\"]", "[{url: \"http://10.0.0.1\", shared: yes please}]", 1),
		tenant + "health: [a]",
		tenant + "balance: fair",
		tenant + "version: 1",
		tenant + "group: [a]",
		tenant + "timeouts: {idle: 60}",
		tenant + "timeouts: {idel: 60s}",
		tenant + "request_buffer: 64",
		tenant + "request_buffer: 64KB",
		tenant + "paths: {allow: [dots]}",
		tenant + "headers: {set: {A: b}}",
		tenant + "headers: {request: {set: [A]}}",
		tenant + "headers: {request: {remove: A}}",
		tenant + "routes: [/a]",
		tenant + "routes: {/a: {hosts: [b.example]}}",
		tenant + "routes: {/a: {tls: {profile: modern}}}",
		tenant + "expect: [{get: \"https://a.example/\"}]",
		tenant + "expect: [{is: forward, from: 192.0.2.1, got: \"https://a.example/\"}]",
	} {
		wantRefused(t, schema, text, func(dir string) {
			put(t, dir, "gatehouse.yaml", main+"include: [tenants/*.yaml]\n")
			put(t, dir, "tenants/a.yaml", text+"\n")
		})
	}
}

func wantRefused(t *testing.T, schema *jsonschema.Schema, text string, write func(dir string)) {
	t.Helper()
	if judge(t, schema, text) == nil {
		t.Errorf("the schema accepts\n%s", text)
	}
	dir := t.TempDir()
	write(dir)
	if result, err := Check(filepath.Join(dir, "gatehouse.yaml")); err != nil || result.Fine {
		t.Errorf("check accepts\n%s", text)
	}
}
