package tenancy_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/net/idna"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
)

// fuzzTable is one table, told twice.
func fuzzTable(t testing.TB) (*tenancy.Table, *twin) {
	t.Helper()
	const acme = `
hosts:
  - acme.example
  - "*.acme.example"
  - {host: strict.acme.example, access: {allow: [203.0.113.0/29]}}
lends: [open.acme.example]
access: {allow: [203.0.113.0/28, "2001:db8::/48"]}
backends: ["http://10.4.1.10:8080"]
routes:
  /admin/:
    access: {allow: [203.0.113.1, 203.0.113.2]}
  /admin/tools/:
    access: {allow: [203.0.113.1]}
  /Reports: {request_buffer: 0B}
  /Reports/daily/: {request_buffer: 0B}
  /büro/:
    access: {allow: [203.0.113.2]}
`
	const open = `
hosts:
  - {host: open.acme.example, paths: {allow: [encoded_slash, double_slash, backslash]}}
access: {public: "x"}
routes:
  /app/: {backends: ["http://10.5.1.10:8080"]}
  /App/x: {backends: ["http://10.5.1.11:8080"]}
`
	var r conf.Report
	table, result := tenancy.Compile(tenancy.Input{
		Main: new(tenancy.MainSpec), MainFile: "gatehouse.yaml", Sets: ipallow.CompileSets(nil, nil, &r),
		TLS: tenancy.TLSDefaults{Issuer: tenancy.InternalCA}, Now: testNow,
		Files: []tenancy.TenantFile{{ID: "acme", Path: "acme.yaml", Text: []byte(acme)}, {ID: "open", Path: "open.yaml", Text: []byte(open)}},
	})
	if result.Report.Faults() > 0 {
		t.Fatal(result.Report.Findings())
	}
	return table, fuzzTwin()
}

func fuzzTwin() *twin {
	list := func(prefixes ...string) twinList {
		l := twinList{}
		for _, p := range prefixes {
			l = append(l, netip.MustParsePrefix(p))
		}
		return l
	}
	acme := list("203.0.113.0/28", "2001:db8::/48")
	routes := []twinRoute{
		{"/", nil},
		{"/admin/", list("203.0.113.1/32", "203.0.113.2/32")},
		{"/admin/tools/", list("203.0.113.1/32")},
		{"/Reports", nil},
		{"/Reports/daily/", nil},
		{"/büro/", list("203.0.113.2/32")},
	}
	return &twin{hosts: []twinHost{
		{name: "acme.example", tenant: "acme", levels: []twinList{acme, nil}, routes: routes},
		{name: "*.acme.example", tenant: "acme", levels: []twinList{acme, nil}, routes: routes},
		{name: "strict.acme.example", tenant: "acme", levels: []twinList{acme, list("203.0.113.0/29")}, routes: routes},
		{
			name: "open.acme.example", tenant: "open", levels: []twinList{nil, nil},
			routes:  []twinRoute{{"/app/", nil}, {"/App/x", nil}},
			allowed: map[string]bool{"encoded_slash": true, "double_slash": true, "backslash": true},
		},
	}}
}

// FuzzDecide holds the Table to its twin: host, route, paths and the
// conjunction of access.
func FuzzDecide(f *testing.F) {
	table, twin := fuzzTable(f)
	for _, path := range []string{
		"/", "/admin", "/ADMIN/tools/x", "/%61dmin/", "/adm%2fin", "/admin;x", "/%2561dmin", "/reports", "/Reports/daily",
		"/B%c3%9cRO/", "/b\xc3\xbcro", "/admin/../x", "/a/%2E%2e;x/b", "//admin", `/app\x`, "/app%5Cx/", "/app%2f..%2fx", "/%c0%ae/",
		"/app%25%32f", "/%25%361dmin", "/%e0%81%a1dmin", "/admin\xa0", "/adm\u0131n", "/admin%0a", "/\xe0\xa4\x85%80", "/\u212aelvin", "/App/x/y", "/%", "/%4", "/admin/tool\u017f/", "/a%0db", "/..", "/...",
	} {
		for _, host := range []string{"acme.example", "STRICT.acme.example.", "x.acme.example:8443", "open.acme.example", "a.b.acme.example"} {
			f.Add(host, path, byte(1))
			f.Add(host, path, byte(5))
			f.Add(host, path, byte(12))
		}
	}
	f.Fuzz(func(t *testing.T, host, path string, last byte) {
		if path == "" || path[0] != '/' || len(path) > 200 || !plainHost(host) {
			return
		}
		client := netip.AddrFrom4([4]byte{203, 0, 113, last})
		want := "misdirected"
		sni := tenancy.Identity{TenantID: "acme"}
		if h := twin.lookup(host); h != nil {
			sni.TenantID = h.tenant
			want = h.decide(client, path)
		}
		v := table.Request(&tenancy.Request{
			Client: client, SNI: sni, Method: []byte("GET"), Authority: []byte(host), Path: []byte(path),
		}, nil)
		got := v.Reason.String()
		if v.Action == tenancy.Forward {
			got = "forward " + v.Route.Prefix()
		}
		if got != want {
			t.Errorf("%q at %q from %s: got %s, want %s", path, host, client, got, want)
		}
	})
}

// plainHost reports whether the twin, which is lazy about it, reads a host as
// the standard does.
func plainHost(host string) bool {
	name, port, hasPort := strings.Cut(host, ":")
	if hasPort && (port == "" || len(port) > 4 || strings.Trim(port, "0123456789") != "") {
		return false
	}
	name = strings.TrimSuffix(name, ".")
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(name) <= 253
}

// FuzzHost holds the normalisation of hosts to its promises: it is idempotent,
// never longer, and agrees with IDNA about names that IDNA takes.
func FuzzHost(f *testing.F) {
	for _, host := range []string{
		"acme.example", "ACME.example.", "acme.example:443", "[2001:DB8::1]:443", "192.0.2.1", "xn--bcher-kva.example",
		"a..b", ".", "", ":443", "a:b", "a:99999", strings.Repeat("a", 64) + ".example", "*.acme.example", "[::1", "a\x00b", "bücher.example",
	} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, authority string) {
		var buffer [tenancy.HostBytesMax]byte
		host, ok := tenancy.NormalizeHost(buffer[:0], []byte(authority))
		if !ok {
			return
		}
		if len(host) > tenancy.HostBytesMax || len(host) == 0 {
			t.Errorf("NormalizeHost(%q) has %d bytes", authority, len(host))
		}
		again, ok := tenancy.NormalizeHost(make([]byte, 0, tenancy.HostBytesMax), host)
		if !ok || string(again) != string(host) {
			t.Errorf("NormalizeHost(%q) = %q, and again %q, %v", authority, host, again, ok)
		}
		if string(host) != strings.ToLower(string(host)) || strings.HasSuffix(string(host), ".") {
			t.Errorf("NormalizeHost(%q) = %q", authority, host)
		}
		if strings.Contains(string(host), "xn--") || strings.Contains(authority, ":") {
			return // IDNA undoes the one and does not know the other
		}
		if ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(authority, ".")); err == nil && ascii != string(host) {
			t.Errorf("NormalizeHost(%q) = %q, and IDNA says %q", authority, host, ascii)
		}
	})
}

// FuzzPath holds matching to its promises: escaping a letter of a path, or
// changing its case on a protected host, changes no verdict.
func FuzzPath(f *testing.F) {
	table, _ := fuzzTable(f)
	for _, path := range []string{"/admin/x", "/Reports/daily", "/b\xc3\xbcro/x", "/a%2fb", "/x;y", "/%2e", "/admin/tools"} {
		f.Add(path, 1)
		f.Add(path, 3)
	}
	decide := func(path string) string {
		v := table.Request(&tenancy.Request{
			Client: netip.MustParseAddr("203.0.113.2"), SNI: tenancy.Identity{TenantID: "acme"},
			Method: []byte("GET"), Authority: []byte("acme.example"), Path: []byte(path),
		}, nil)
		if v.Route != nil {
			return v.String() + v.Route.Prefix()
		}
		return v.String()
	}
	f.Fuzz(func(t *testing.T, path string, at int) {
		if path == "" || path[0] != '/' || at < 1 || at >= len(path) || strings.ContainsAny(path, "%") {
			return
		}
		c := path[at]
		if unreserved := 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0; !unreserved {
			return
		}
		escaped := fmt.Sprintf("%s%%%02x%s", path[:at], c, path[at+1:])
		if got, want := decide(escaped), decide(path); got != want {
			t.Errorf("%q is %s, and %q is %s", escaped, got, path, want)
		}
		refused := "refuse ip_not_allowed"
		upper := strings.ToUpper(path)
		if strings.EqualFold(upper, path) && decide(path) == refused && decide(upper) != refused {
			t.Errorf("%q is %s, and %q is %s", path, decide(path), upper, decide(upper))
		}
	})
}

// FuzzTenant reads any text as a tenant file: nothing panics, and what has a
// fault is not served. Laid over a good text and taken back it leaves no trace,
// and meanwhile nobody comes in who did not come in by the text that is served.
func FuzzTenant(f *testing.F) {
	f.Add("hosts: [acme.example]\naccess: {allow: [203.0.113.0/28]}\nbackends: [\"http://10.4.1.10:8080\"]\n")
	f.Add("hosts: [{host: \"*.x.example\", routes: {/a: {access: {public: y}}}}]\naccess: {allow: [], refuse_with: handshake}\nroutes: {/: {backends: [http://a]}}\n")
	f.Add("hosts: [a.example]\nlends: [b]\naccess: {public: x}\nexpect: [{get: https://a.example/%, from: ::1, is: refuse no_route}]\n")
	f.Add("group: x\nheaders: {request: {set: {A: b}}}\ntls: {certificates: [{cert: ../x, key: {file: a}}]}\npaths: {allow: [backslash]}\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		var r conf.Report
		table, result := tenancy.Compile(tenancy.Input{
			Main: new(tenancy.MainSpec), MainFile: "gatehouse.yaml", Sets: ipallow.CompileSets(nil, nil, &r),
			TLS: tenancy.TLSDefaults{Issuer: tenancy.InternalCA}, Now: testNow, FS: fstest.MapFS{},
			Files: []tenancy.TenantFile{{ID: "acme", Path: "tenants/acme.yaml", Text: []byte(text)}},
		})
		served := table.Tenant("acme") != nil
		if faults := result.Report.Faults(); served != (faults == 0) || served == (len(result.Quarantined) > 0) {
			t.Errorf("served = %v with %d faults and %d quarantined", served, faults, len(result.Quarantined))
		}
		for h := range table.Hosts() {
			if h.Admits(netip.Addr{}, ipallow.Moment{}) && !strings.Contains(text, "public") {
				t.Errorf("host %q admits nobody's address", h.Name())
			}
		}
		overlay(t, text)
	})
}

// overlay lays text over a good one and takes it back.
func overlay(t *testing.T, text string) {
	t.Helper()
	const good = "hosts: [acme.example, \"*.acme.example\"]\naccess: {allow: [203.0.113.0/28]}\nbackends: [\"http://10.4.1.10:8080\"]\n"
	compile := func(text string, previous *tenancy.Table) *tenancy.Table {
		in := compileInput(tenancy.TenantFile{ID: "acme", Path: "acme.yaml", Text: []byte(text)})
		in.FS, in.Previous, in.MainText = fstest.MapFS{}, previous, []byte("version: 1")
		table, _ := tenancy.Compile(in)
		return table
	}
	first := compile(good, nil)
	second := compile(text, first)
	tenant := second.Tenant("acme")
	if tenant == nil {
		t.Fatal("a tenant that is served is not served any more")
	}
	if fresh := compile(text, nil).Tenant("acme"); fresh != nil {
		if fresh.Digest() != tenant.Digest() {
			t.Error("a good text comes to something else after another one")
		}
	} else if second.Lookup("acme.example").Admits(netip.MustParseAddr("203.0.113.99"), ipallow.Moment{}) {
		t.Error("a broken text lets in whom the good one does not")
	}
	if third := compile(good, second).Tenant("acme"); third == nil || third.Digest() != first.Tenant("acme").Digest() {
		t.Error("the good text does not come to what it was")
	}
}
