package tenancy_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io/fs"
	"math/big"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

var update = flag.Bool("update", false, "write what comes out into the archives")

// mainFile is a main file as far as tenancy reads it.
type mainFile struct {
	Version conf.At[string] `conf:"version"`
	Listen  *struct {
		HTTP       conf.List[string]               `conf:"http"`
		HTTPS      conf.List[tenancy.ListenerSpec] `conf:"https"`
		PublicPort conf.At[int]                    `conf:"public_port"`
	} `conf:"listen"`
	TLS *tlsconfig.Spec `conf:"tls"`
	tenancy.MainSpec
}

// testNow is the instant at which archives are compiled.
var testNow = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// tree is the files of an archive, and what its directives say. Directives
// stand in the archive's comment, one on each line that begins with "#!".
type tree struct {
	files    fstest.MapFS
	keys     tenancy.KeyMode
	cases    tenancy.CaseMode
	lastGood map[string][]byte
	provided []string // "TENANT NAME" of what a DNS-01 provider covers
	now      time.Time
}

func newTree(t testing.TB, archive *txtar.Archive) *tree {
	t.Helper()
	tr := &tree{files: fstest.MapFS{}, lastGood: map[string][]byte{}, now: testNow}
	for _, f := range archive.Files {
		id, isLastGood := strings.CutPrefix(f.Name, "lastgood/")
		switch {
		case isLastGood:
			tr.lastGood[id] = f.Data
		case f.Name != "want" && f.Name != "ask":
			tr.files[f.Name] = &fstest.MapFile{Data: f.Data}
		}
	}
	for line := range strings.Lines(string(archive.Comment)) {
		if words, ok := strings.CutPrefix(line, "#! "); ok {
			tr.direct(t, strings.Fields(words))
		}
	}
	return tr
}

// direct obeys one directive.
func (tr *tree) direct(t testing.TB, words []string) {
	t.Helper()
	switch words[0] {
	case "pair": // pair CERT KEY NAME...: files of a pair that is good for the names
		cert, key := testPair(t, words[3:], testNow.Add(90*24*time.Hour))
		tr.files[words[1]] = &fstest.MapFile{Data: cert}
		tr.files[words[2]] = &fstest.MapFile{Data: key}
	case "expired-pair":
		cert, key := testPair(t, words[3:], testNow.Add(-time.Hour))
		tr.files[words[1]] = &fstest.MapFile{Data: cert}
		tr.files[words[2]] = &fstest.MapFile{Data: key}
	case "provider": // provider TENANT NAME...: a DNS-01 provider covers the names for the tenant
		for _, name := range words[2:] {
			tr.provided = append(tr.provided, words[1]+" "+name)
		}
	case "keys-unreadable":
		tr.keys = tenancy.NoteIfUnreadable
	case "cases-warn":
		tr.cases = tenancy.CasesWarn
	default:
		t.Fatalf("unknown directive %q", words)
	}
}

// testPair makes a self-signed pair.
func testPair(t testing.TB, names []string, until time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: testNow.Add(-30 * 24 * time.Hour), NotAfter: until,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

// compile compiles the tree as the gateway does.
func (tr *tree) compile(previous *tenancy.Table) (*tenancy.Table, *tenancy.Result) {
	var report conf.Report
	text := tr.text("gatehouse.yaml")
	var main mainFile
	conf.Decode("gatehouse.yaml", text, &main, &report)
	sets := ipallow.CompileSets(main.Sets, nil, &report)
	in := tenancy.Input{
		Main: &main.MainSpec, MainFile: "gatehouse.yaml", MainText: text, Sets: sets, FS: tr.files,
		Previous: previous, Keys: tr.keys, Cases: tr.cases, Now: tr.now,
		LastGood:    func(id string) ([]byte, bool) { text, ok := tr.lastGood[id]; return text, ok },
		TLS:         tenancy.TLSDefaults{Issuer: tenancy.InternalCA},
		DNSProvider: func(tenant, name string) bool { return slices.Contains(tr.provided, tenant+" "+name) },
		MachineAddrs: func(a netip.Addr) bool {
			return a == netip.MustParseAddr("10.0.0.1")
		},
	}
	if main.Listen != nil {
		in.Listeners = tenancy.CompileListeners(main.Listen.HTTP, main.Listen.HTTPS, sets, &report)
		in.PublicPort = main.Listen.PublicPort.V
	}
	if main.TLS != nil {
		in.TLS = tr.defaults(main.TLS, &report)
	}
	in.Files, in.Unmatched = tenancy.ReadTree(tr.files, main.Include, &report)
	table, result := tenancy.Compile(in)
	result.MainFaults += report.Faults()
	result.Report.Add(&report)
	return table, result
}

func (tr *tree) defaults(spec *tlsconfig.Spec, r *conf.Report) tenancy.TLSDefaults {
	d := tenancy.TLSDefaults{Profile: spec.ProfileOr(tlsconfig.Intermediate), HSTS: spec.HSTS}
	for _, c := range spec.Certificates.Values() {
		if c.ACME != nil {
			d.ACME = c.ACME
		}
		if issuer := issuerOf(&c); issuer != tenancy.NoSource {
			if d.Issuer == tenancy.NoSource {
				d.Issuer = issuer
			}
			continue
		}
		pair, err := tlsconfig.ParsePair(c.Cert.V, tr.text(c.Cert.V), tr.text(c.Key.File.V), testNow)
		if err != nil {
			r.Fault(c.Cert.Pos, "", "%v", err)
			continue
		}
		d.Certificates = append(d.Certificates, pair)
	}
	return d
}

func issuerOf(c *tlsconfig.CertificateSpec) tenancy.CertificateSource {
	switch {
	case c.ACME != nil:
		return tenancy.ACME
	case c.Internal.V:
		return tenancy.InternalCA
	}
	return tenancy.NoSource
}

func (tr *tree) text(name string) []byte {
	text, err := fs.ReadFile(tr.files, name)
	if err != nil {
		return []byte("version: 1\n")
	}
	return text
}

// eachArchive runs a test for each archive below testdata/dir. got is compared
// with the archive's file "want", or becomes it with -update.
func eachArchive(t *testing.T, dir string, got func(t *testing.T, archive *txtar.Archive) string) {
	paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text := got(t, archive)
			for i, f := range archive.Files {
				if f.Name != "want" {
					continue
				}
				if *update && text != string(f.Data) {
					archive.Files[i].Data = []byte(text)
					if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				if diff := cmp.Diff(string(f.Data), text); diff != "" {
					t.Errorf("differs (-want +got):\n%s", diff)
				}
				return
			}
			t.Fatalf("%s has no file want", path)
		})
	}
}

// TestCheck holds diagnostics to their words and places, one rule in each
// archive.
func TestCheck(t *testing.T) {
	eachArchive(t, "check", func(t *testing.T, archive *txtar.Archive) string {
		table, result := newTree(t, archive).compile(nil)
		var b bytes.Buffer
		for _, f := range result.Report.Findings() {
			fmt.Fprintln(&b, f)
		}
		for _, q := range result.Quarantined {
			if table.Tenant(q.Tenant) != nil != q.Served {
				t.Errorf("tenant %q: Served = %v, and the table says otherwise", q.Tenant, q.Served)
			}
		}
		if faults := result.Report.Faults(); faults > 0 && result.Applicable() && len(result.Quarantined) == 0 {
			t.Errorf("%d faults, and neither the main file nor a tenant pays for them", faults)
		}
		return b.String()
	})
}
