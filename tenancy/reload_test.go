package tenancy_test

import (
	"errors"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"gatehouse/internal/conf"
	"gatehouse/tenancy"
)

// TestClaimsStay holds the claims of a tenant that is not served through many
// compilations: they neither go nor grow.
func TestClaimsStay(t *testing.T) {
	wild := tenancy.TenantFile{ID: "wild", Path: "wild.yaml", Text: []byte("hosts: [\"*.hosted.example\"]\naccess: {public: x}\nbackends: [\"http://10.4.1.10\"]\nlends: [shop.hosted.example]\n")}
	in := compileInput(wild, tenancy.TenantFile{ID: "shop", Path: "shop.yaml", Text: []byte("hosts: [shop.hosted.example]\naccess: {public: x}\nbackends: [\"http://10.4.1.11\"]\n")})
	table, _ := tenancy.Compile(in)
	if table.Lookup("shop.hosted.example") == nil {
		t.Fatal("the host is not served")
	}
	// Not even YAML, and under a main file that forbids public: nothing compiles.
	in.Main = &tenancy.MainSpec{Require: &tenancy.RequireSpec{BackendTLS: conf.At[bool]{V: true, Pos: conf.Pos{File: "etc/gatehouse.yaml", Line: 1, Col: 1}}}}
	in.Files[0].Text = []byte("hosts: [\"*.hosted.example\"]\naccess: {public: x}\nbackends: [\"https://10.4.1.10\"]\nlends: [shop.hosted.example]\n")
	in.Files[1].Text = []byte("hosts: [")
	for range 5 {
		in.Previous = table
		var result *tenancy.Result
		table, result = tenancy.Compile(in)
		if len(result.Quarantined) != 1 || result.Quarantined[0].Served {
			t.Fatalf("%s: %v", summary(result), result.Report.Findings())
		}
		if h := table.Lookup("shop.hosted.example"); h != nil {
			t.Fatalf("the host fell to %q", h.Name())
		}
		if table.Lookup("other.hosted.example") == nil {
			t.Fatal("the wildcard is not served")
		}
	}
	// Gone with its file.
	in.Previous, in.Files = table, in.Files[:1]
	table, result := tenancy.Compile(in)
	if h := table.Lookup("shop.hosted.example"); h == nil || h.Name() != "*.hosted.example" {
		t.Errorf("after the file was deleted the host is %v", h)
	}
	diff(t, "what is to be forgotten", []string{"shop"}, result.Forget)
}

// TestMainMayNameAnyFile holds tenants of the main file to its own freedom:
// files anywhere and secrets from anywhere.
func TestMainMayNameAnyFile(t *testing.T) {
	cert, key := testPair(t, []string{"acme.example"}, testNow.Add(24*time.Hour))
	archive := txtar.Parse([]byte(`
-- gatehouse.yaml --
version: 1
tenants:
  acme:
    hosts: [acme.example]
    access: {public: x}
    backends: ["http://10.4.1.10"]
    tls: {certificates: {cert: /etc/ssl/acme.pem, key: {env: ACME_KEY}}}
`))
	tree := newTree(t, archive)
	var main mainFile
	var r conf.Report
	conf.Decode("gatehouse.yaml", tree.text("gatehouse.yaml"), &main, &r)
	in := compileInput()
	in.Main, in.MainFile = &main.MainSpec, "gatehouse.yaml"
	in.ReadMain = func(path string) ([]byte, error) {
		if path != "/etc/ssl/acme.pem" {
			return nil, errors.New("no such file")
		}
		return cert, nil
	}
	in.ReadSecret = func(s conf.Secret) ([]byte, error) {
		if s.Env.V != "ACME_KEY" {
			return nil, errors.New("no such variable")
		}
		return key, nil
	}
	table, result := tenancy.Compile(in)
	if result.Report.Faults()+r.Faults() > 0 {
		t.Fatal(result.Report.Findings())
	}
	if h := table.Lookup("acme.example"); h.CertificateSource() != tenancy.FileSource || h.HSTS() == "" {
		t.Errorf("the certificate comes from %s", h.CertificateSource())
	}

	// A changed key is noticed although the main file did not change.
	in.Previous, in.MainText = table, []byte("same")
	next, _ := tenancy.Compile(in)
	in.Previous = next
	cert, key = testPair(t, []string{"acme.example"}, testNow.Add(48*time.Hour))
	after, result := tenancy.Compile(in)
	diff(t, "what changed", []string{"acme"}, result.Changed)
	if after.Tenant("acme") == table.Tenant("acme") {
		t.Error("the tenant keeps its former pair")
	}
}

// TestNextUntil walks from one end of an entry to the next.
func TestNextUntil(t *testing.T) {
	in := compileInput(tenancy.TenantFile{ID: "acme", Path: "acme.yaml", Text: []byte(`
hosts: [acme.example]
access: {allow: [203.0.113.0/28, {ip: 198.51.100.7, until: 2027-01-31}, {ip: 198.51.100.8, until: 2026-12-31}]}
backends: ["http://10.4.1.10"]
routes: {/admin/: {access: {allow: [{ip: 203.0.113.1, until: 2027-01-31}]}}}
`)})
	table, result := tenancy.Compile(in)
	if result.Report.Faults() > 0 {
		t.Fatal(result.Report.Findings())
	}
	var got []string
	for at, ok := table.NextUntil(testNow); ok; at, ok = table.NextUntil(at) {
		got = append(got, at.Format(time.RFC3339))
	}
	diff(t, "the instants", []string{"2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z"}, got)
}

// TestForwardedHandshake holds the door at the handshake to say nothing where
// clients are not yet known.
func TestForwardedHandshake(t *testing.T) {
	archive := txtar.Parse([]byte("-- gatehouse.yaml --\nlisten: {https: [{address: \":8443\", client_ip: {x_forwarded_for: [10.0.0.4]}}]}\ninclude: [acme.yaml]\n" +
		"-- acme.yaml --\nhosts: [acme.example]\naccess: {allow: [203.0.113.5]}\nbackends: [\"http://10.4.1.10\"]\n"))
	table, result := newTree(t, archive).compile(nil)
	if result.Report.Faults() > 0 {
		t.Fatal(result.Report.Findings())
	}
	hello := &tenancy.Hello{Listener: table.Listeners()[0], SNI: "acme.example"}
	if v := table.Connect(hello, nil); v.Action != tenancy.Forward {
		t.Errorf("Connect = %v", v)
	}
}

// TestCompileReadsNothingElse holds Compile to its input: without a file
// system, and with no main file at all, it still answers.
func TestCompileReadsNothingElse(t *testing.T) {
	in := compileInput(tenancy.TenantFile{ID: "acme", Path: "acme.yaml", Text: []byte("hosts: [a.example]\naccess: {public: x}\nbackends: [{url: \"https://10.4.1.10\", ca: ca.pem}]\n")})
	in.FS = fstest.MapFS{}
	table, result := tenancy.Compile(in)
	if len(result.Quarantined) != 1 || table.Tenant("acme") != nil || !result.Applicable() {
		t.Error(summary(result))
	}
}
