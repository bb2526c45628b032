package tenancy_test

import (
	"net/netip"
	"strings"
	"testing"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
)

const liveTenant = `hosts: [pa.acme.example]
backends: ["http://10.0.0.1"]
sets:
  vpn: [203.0.113.9, {dns: vpn.acme.example}, {file: lists/extra.txt}]
access: {allow: [set:vpn]}
`

// compileLive compiles a tenant file, tenants/acme.yaml, and one without live
// sources.
func compileLive(t *testing.T, acme string) (*tenancy.Table, *tenancy.Result) {
	t.Helper()
	const globex = "hosts: [globex.example]\nbackends: [\"http://10.0.0.2\"]\naccess: {allow: [203.0.113.5]}\n"
	return tenancy.Compile(compileInput(
		tenancy.TenantFile{ID: "acme", Path: "tenants/acme.yaml", Text: []byte(acme)},
		tenancy.TenantFile{ID: "globex", Path: "tenants/globex.yaml", Text: []byte(globex)}))
}

// listing has every source of a table list an address.
func listing(t *testing.T, table *tenancy.Table, address string) *ipallow.Live {
	t.Helper()
	contents, err := ipallow.NewContents([]netip.Prefix{netip.MustParsePrefix(address)})
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[ipallow.SourceID]ipallow.Known)
	for _, s := range table.Sources() {
		known[s.ID()] = ipallow.Known{Contents: contents}
	}
	return ipallow.NewLive(known)
}

// TestWithLive: what live sources list decides, tenants keep their pointers, and
// those whose sources list the same are not taken for changed.
func TestWithLive(t *testing.T) {
	table, result := compileLive(t, liveTenant)
	if n := len(result.Report.Findings()); n > 0 {
		t.Fatal(result.Report.Findings())
	}
	var names []string
	for _, s := range table.Sources() {
		names = append(names, s.String())
	}
	if got := strings.Join(names, ", "); got != "dns vpn.acme.example, file tenants/lists/extra.txt" {
		t.Errorf("sources %s", got)
	}
	live := listing(t, table, "198.51.100.7/32")
	next := table.WithLive(live, 7)
	if next.Generation() != 7 || next.Tenant("acme") != table.Tenant("acme") {
		t.Error("another generation, or another tenant")
	}
	verdict := func(t *tenancy.Table) string {
		return t.Judge(tenancy.Question{Scheme: "https", Host: "pa.acme.example", From: netip.MustParseAddr("198.51.100.7")}, nil).String()
	}
	if got := []string{verdict(table), verdict(next)}; got[0] != "refuse ip_not_allowed" || got[1] != "forward" {
		t.Errorf("verdicts %v", got)
	}
	other := next.WithLive(listing(t, table, "198.51.100.8/32"), 8)
	if other.ListsAlike(next, "acme") || !other.ListsAlike(next, "globex") || !next.WithLive(live, 9).ListsAlike(next, "acme") {
		t.Error("ListsAlike does not tell whose sources changed")
	}
	laid := next.WithLevers(tenancy.Levers{}, 10)
	if verdict(laid) != "forward" {
		t.Error("an order of an operator loses what is known of sources")
	}
}

// TestLiveBlock: a live source of block keeps out everywhere.
func TestLiveBlock(t *testing.T) {
	const main = "sets: {bad: [{url: \"https://lists.example/bad.txt\"}]}\nblock: [set:bad]\n"
	var spec mainFile
	var r conf.Report
	conf.Decode("gatehouse.yaml", []byte(main), &spec, &r)
	in := compileInput()
	in.Main, in.MainText, in.Sets = &spec.MainSpec, []byte(main), ipallow.CompileSets(spec.Sets, nil, &r)
	table, result := tenancy.Compile(in)
	if findings := append(r.Findings(), result.Report.Findings()...); len(findings) > 0 {
		t.Fatal(findings)
	}
	a := netip.MustParseAddr("203.0.113.5")
	if table.Blocks(a, 0) || !table.WithLive(listing(t, table, "203.0.113.0/24"), 2).Blocks(a, 0) {
		t.Error("the block list does not follow its source")
	}
	var trace tenancy.Trace
	table.Admit(a, 0, &trace)
	if got := trace.Steps[0].Text; !strings.Contains(got, "what url https://lists.example/bad.txt lists is not known") {
		t.Errorf("explained as %q", got)
	}
}

// TestLiveCases: a case is judged where no answer of a live source could turn it.
func TestLiveCases(t *testing.T) {
	cases := func(lines ...string) string { return liveTenant + "expect:\n" + strings.Join(lines, "\n") + "\n" }
	_, result := compileLive(t, cases(
		"  - {get: https://pa.acme.example/, from: 203.0.113.9, is: forward}",
		"  - {get: https://pa.acme.example/, from: 198.51.100.7, is: forward}",
		"  - {get: https://pa.acme.example/, from: 198.51.100.7, is: refuse ip_not_allowed}",
		"  - {get: http://pa.acme.example/, from: 198.51.100.7, is: redirect}"))
	notes := 0
	for _, f := range result.Report.Findings() {
		if f.Severity != conf.Note || !strings.Contains(f.Text, "depends on what live sources list") {
			t.Errorf("finding %v", f)
		}
		notes++
	}
	if notes != 2 {
		t.Errorf("%d cases are not judged, want 2", notes)
	}
	_, result = compileLive(t, cases("  - {get: https://pa.acme.example/%2e%2e/x, from: 203.0.113.9, is: forward}"))
	if result.Report.Faults() != 1 {
		t.Errorf("a case that fails whatever sources list: %v", result.Report.Findings())
	}
}

// TestLivePaths: a tenant file names files by the rules for tenant files.
func TestLivePaths(t *testing.T) {
	for path, want := range map[string]string{
		"/etc/hosts": "it is absolute", "../../x": "it leaves the main file's folder",
		"../secrets/globex/list": "it is not below secrets/acme/", "../lists/x": "",
	} {
		_, result := compileLive(t, strings.Replace(liveTenant, "lists/extra.txt", path, 1))
		found := result.Report.Findings()
		if want == "" && len(found) > 0 || want != "" && (len(found) != 1 || !strings.Contains(found[0].Text, want)) {
			t.Errorf("%s: %v, want %q", path, found, want)
		}
	}
}

// TestLiveTrust: whoever is believed about other addresses is written.
func TestLiveTrust(t *testing.T) {
	var r conf.Report
	var spec struct {
		Sets  conf.Map[ipallow.SetSpec]       `conf:"sets"`
		HTTPS conf.List[tenancy.ListenerSpec] `conf:"https"`
	}
	conf.Decode("gatehouse.yaml", []byte(`{sets: {lb: [{dns: lb.example}]}, https: [{address: ":8443", client_ip: {proxy_protocol: [set:lb]}}]}`), &spec, &r)
	tenancy.CompileListeners(conf.List[string]{}, spec.HTTPS, ipallow.CompileSets(spec.Sets, nil, &r), &r)
	if found := r.Findings(); len(found) != 1 || !strings.Contains(found[0].Text, "believes whom dns lb.example lists") {
		t.Errorf("got %v", found)
	}
}
