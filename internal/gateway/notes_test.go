package gateway

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithCancel(t.Context())
}

// TestRestartNotes: what is read at a start only is named when it changes, and
// nothing else is.
func TestRestartNotes(t *testing.T) {
	const text = `version: 1
listen:
  http: []
  https: ["127.0.0.1:0", {address: "127.0.0.2:0", client_ip: {proxy_protocol: [set:lb]}}]
  health: {address: "127.0.0.1:9181", allow: [set:lb]}
  admin: {address: "127.0.0.1:9180", token: {env: TOKEN}}
state: state
seal: {file: seal.key}
log: {access: stdout, query: keys}
shutdown: {announce: 5s}
sets: {lb: [192.0.2.7]}
block: [198.51.100.1]
`
	h := build(t, tree(t, "gatehouse.yaml", text))
	for _, test := range []struct {
		name, was, is string
		want          []string
	}{
		{"nothing", "", "", nil},
		{"a comment", "version: 1", "version: 1  # of the file", nil},
		{"a block", "198.51.100.1", "198.51.100.2", nil},
		{"who may ask for health", "allow: [set:lb]", "allow: [192.0.2.9]", nil},
		{"the public port", "  http: []", "  http: []\n  public_port: 443", nil},
		{"a default that is written", "announce: 5s", "announce: 5s, drain: 30s", nil},
		{"a default that is written, too", "query: keys", "query: keys, client: full", []string{"log"}},
		{"the same state by another path", "state: state", "state: ./state", nil},
		{"an address", "127.0.0.2:0", "127.0.0.3:0", []string{"listen"}},
		{"a listener fewer", `"127.0.0.1:0", {`, `{`, []string{"listen"}},
		{"plain HTTP", "http: []", "http: [\"127.0.0.1:8080\"]", []string{"listen"}},
		{"how clients are known", "proxy_protocol", "x_forwarded_for", []string{"listen"}},
		{"whom a listener believes", "lb: [192.0.2.7]", "lb: [192.0.2.7, 192.0.2.8]", nil},
		{"health", "127.0.0.1:9181", "127.0.0.1:9182", []string{"listen"}},
		{"admin", "127.0.0.1:9180", "127.0.0.1:9182", []string{"listen"}},
		{"the token", "env: TOKEN", "env: TOKEN2", []string{"listen"}},
		{"the state", "state: state", "state: other", []string{"state"}},
		{"the seal", "seal.key", "seal2.key", []string{"seal"}},
		{"no seal", "seal: {file: seal.key}\n", "", []string{"seal"}},
		{"the log", "query: keys", "query: full", []string{"log"}},
		{"the data plane", "version: 1", "version: 1\ndata_plane: standard", []string{"data_plane"}},
		{"the data plane that is the default", "version: 1", "version: 1\ndata_plane: own", nil},
		{"the end", "announce: 5s", "announce: 6s", []string{"shutdown"}},
		{"much", "state: state\nseal: {file: seal.key}\nlog: {access: stdout, query: keys}", "state: b\nlog: {}", []string{"log", "seal", "state"}},
	} {
		h.put("gatehouse.yaml", strings.Replace(text, test.was, test.is, 1))
		got := h.reload("uid 0")
		if !got.Applied {
			t.Errorf("%s: %v %s", test.name, got.Findings, got.Refused)
		}
		want := []string{}
		for _, key := range test.want {
			if key == "seal" {
				want = append(want, "seal changed; gatehouse keys rotate puts its first key into use")
				continue
			}
			want = append(want, key+" changed; that takes effect with a restart")
		}
		if !slices.Equal(got.Notes, want) {
			t.Errorf("%s: notes %q, want %q", test.name, got.Notes, want)
		}
		if status := h.status(); !slices.Equal(status.Notes, want) && !got.Unchanged {
			t.Errorf("%s: status notes %q, want %q", test.name, status.Notes, want)
		}
	}
}

func TestPublicPort(t *testing.T) {
	for text, want := range map[string]int{
		`{https: [":8443", ":443"]}`:         8443,
		`{https: [":443"], http: [":80"]}`:   443,
		`{}`:                                 443,
		`{https: [":443"], public_port: 1}`:  1,
		`{https: [":8443"], public_port: 0}`: 0,
	} {
		dir := tree(t, "gatehouse.yaml", "version: 1\nlisten: "+text+"\ntls: {certificates: {internal: true}}\n"+
			"tenants: {acme: {hosts: [acme.example], access: {public: all}, backends: [\"http://10.0.0.1\"]}}\n")
		l, err := newLoader(filepath.Join(dir, "gatehouse.yaml"), toCheck).load(nil)
		must(t, err)
		if want == 0 {
			if l.result.Applicable() {
				t.Errorf("%s is taken", text)
			}
			continue
		}
		location := string(l.table.AppendLocation(nil, l.table.Lookup("acme.example"), []byte("acme.example"), []byte("/")))
		if suffix := map[int]string{443: "acme.example/", 1: ":1/", 8443: ":8443/"}[want]; !strings.HasSuffix(location, suffix) {
			t.Errorf("%s redirects to %s", text, location)
		}
	}
}

// TestReady: who asks is told why there is nothing to get.
func TestReady(t *testing.T) {
	g := &gateway{}
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, "not accepting yet"},
		{func() { g.serving.Store(true) }, ""},
		{func() { g.announced.Store(true) }, "going down"},
	} {
		step.do()
		got := ""
		if err := g.ready(); err != nil {
			got = err.Error()
		}
		if got != step.want {
			t.Errorf("ready = %q, want %q", got, step.want)
		}
	}
}

// TestLoadedFolders: what the tree was read from is watched, with what the main
// file is a link to.
func TestLoadedFolders(t *testing.T) {
	dir := tree(t, "real/gatehouse.yaml", mainText+pairText, "main/tenants/acme.yaml", acmeText+
		"tls: {certificates: {cert: ../pairs/acme.pem, key: {file: ../secrets/acme/key.pem}}}\n")
	must(t, os.Symlink("../real/gatehouse.yaml", filepath.Join(dir, "main/gatehouse.yaml")))
	putPair(t, filepath.Join(dir, "main"), "tls/cert.pem", "tls/key.pem", month, "x.example")
	putPair(t, filepath.Join(dir, "main"), "pairs/acme.pem", "secrets/acme/key.pem", month, "acme.example")
	l, err := newLoader(filepath.Join(dir, "main/gatehouse.yaml"), toRun).load(nil)
	must(t, err)
	for _, want := range []string{"main", "real", "main/tenants", "main/tls", "main/pairs", "main/secrets/acme"} {
		if !slices.Contains(l.folders, filepath.Join(dir, want)) {
			t.Errorf("%s is not watched: %q", want, l.folders)
		}
	}
}

// TestStatusOfTenants: served, quarantined and not served ones, by id.
func TestStatusOfTenants(t *testing.T) {
	h := build(t, tree(t, "gatehouse.yaml", mainText, "tenants/b.yaml", acmeText, "tenants/c.yaml", "hots: []\n", "tenants/a.yaml",
		strings.NewReplacer("acme", "a", "9\"", "10\", \"https://127.0.0.1:11\"").Replace(acmeText)+"routes: {/x: {backends: [\"http://127.0.0.1:10\"]}}\n"))
	h.put("tenants/b.yaml", "hots: []\n")
	h.reload("uid 0")
	var got []string
	for _, s := range h.status().Tenants {
		got = append(got, s.ID+" "+s.State+" "+strings.Join(s.Hosts, ",")+" "+strings.Join(s.Backends, ","))
	}
	want := []string{
		"a served a.example http://127.0.0.1:10,https://127.0.0.1:11",
		"b quarantined acme.example http://127.0.0.1:9",
		"c not served  ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("status:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s := h.status(); s.Ready || s.NotReady == "" || s.Keys != "sealed" || s.Generation != 2 || s.Started.After(time.Now()) {
		t.Errorf("status = %+v", s)
	}
}
