package tenancy_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
)

// manyHosts compiles a table of n hosts, ten of each tenant.
func manyHosts(t testing.TB, n int) *tenancy.Table {
	t.Helper()
	table, result := tenancy.Compile(manyInput(max(1, n/10), 10, nil))
	if result.Report.Faults() > 0 {
		t.Fatal(result.Report.Findings()[0])
	}
	return table
}

// manyInput is a tree of many tenants. Those in edited have another backend.
func manyInput(tenants, hostsEach int, edited map[int]bool) tenancy.Input {
	var r conf.Report
	in := tenancy.Input{
		Main: new(tenancy.MainSpec), MainFile: "gatehouse.yaml", MainText: []byte("version: 1\n"),
		Sets: ipallow.CompileSets(nil, nil, &r),
		TLS:  tenancy.TLSDefaults{Issuer: tenancy.InternalCA}, Now: testNow,
	}
	for i := range tenants {
		var b strings.Builder
		b.WriteString("hosts:\n")
		for j := range hostsEach - 1 {
			fmt.Fprintf(&b, "  - h%d.t%d.hosted.example\n", j, i)
		}
		fmt.Fprintf(&b, "  - \"*.t%d.hosted.example\"\n", i)
		fmt.Fprintf(&b, "access: {allow: [10.%d.%d.0/24, 203.0.113.0/28, \"2001:db8:%x::/48\"], except: [203.0.113.9]}\n", i/256%256, i%256, i%65536)
		port := 8080
		if edited[i] {
			port++
		}
		fmt.Fprintf(&b, "backends: [\"http://10.%d.%d.10:%d\"]\n", i/256%256, i%256, port)
		b.WriteString("routes:\n  /reports/: {timeouts: {first_byte: 10m}}\n  /admin/:\n    access: {allow: [203.0.113.1]}\n")
		id := fmt.Sprintf("t%d", i)
		in.Files = append(in.Files, tenancy.TenantFile{ID: id, Path: "tenants/" + id + ".yaml", Text: []byte(b.String())})
	}
	return in
}

// doors are one question to each door, of each outcome.
func doors(table *tenancy.Table) map[string]func() tenancy.Verdict {
	client := netip.MustParseAddr("203.0.113.1")
	stranger := netip.MustParseAddr("198.51.100.1")
	sni := tenancy.Identity{TenantID: "t0"}
	request := func(client netip.Addr, authority, path string) *tenancy.Request {
		return &tenancy.Request{
			Client: client, Now: testNow.Unix(), SNI: sni,
			Method: []byte("GET"), Authority: []byte(authority), Path: []byte(path),
		}
	}
	forward := request(client, "H0.t0.hosted.example:8443", "/reports/2026/%61bc")
	protected := request(client, "h0.t0.hosted.example", "/ADMIN/x")
	wildcard := request(client, "other.t0.hosted.example", "/"+strings.Repeat("long/", 200))
	refused := request(stranger, "h0.t0.hosted.example", "/")
	misdirected := request(client, "nobody.example", "/")
	ambiguous := request(client, "h0.t0.hosted.example", "/a/../b")
	hello := &tenancy.Hello{Client: client, SNI: "h0.t0.hosted.example"}
	unknown := &tenancy.Hello{Client: client, SNI: "nobody.example"}
	return map[string]func() tenancy.Verdict{
		"Admit":               func() tenancy.Verdict { return table.Admit(client, 0, nil) },
		"Connect":             func() tenancy.Verdict { return table.Connect(hello, nil) },
		"Connect/unknown":     func() tenancy.Verdict { return table.Connect(unknown, nil) },
		"Request":             func() tenancy.Verdict { return table.Request(forward, nil) },
		"Request/protected":   func() tenancy.Verdict { return table.Request(protected, nil) },
		"Request/wildcard":    func() tenancy.Verdict { return table.Request(wildcard, nil) },
		"Request/refused":     func() tenancy.Verdict { return table.Request(refused, nil) },
		"Request/misdirected": func() tenancy.Verdict { return table.Request(misdirected, nil) },
		"Request/ambiguous":   func() tenancy.Verdict { return table.Request(ambiguous, nil) },
		"Plain":               func() tenancy.Verdict { return table.Plain(refused, nil) },
	}
}

func TestDoorsDoNotAllocate(t *testing.T) {
	table := manyHosts(t, 100)
	want := map[string]string{
		"Admit": "forward", "Connect": "forward", "Connect/unknown": "refuse unknown_host",
		"Request": "forward", "Request/protected": "forward", "Request/wildcard": "forward",
		"Request/refused": "refuse ip_not_allowed", "Request/misdirected": "refuse misdirected",
		"Request/ambiguous": "refuse ambiguous_path", "Plain": "redirect",
	}
	for name, door := range doors(table) {
		if got := door().String(); got != want[name] {
			t.Errorf("%s = %s, want %s", name, got, want[name])
		}
		if n := testing.AllocsPerRun(100, func() { door() }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	host := table.Lookup("h0.t0.hosted.example")
	route := host.Routes()[0]
	location := make([]byte, 0, 200)
	name := []byte("x.t0.hosted.example")
	if n := testing.AllocsPerRun(100, func() {
		host.Admits(netip.MustParseAddr("203.0.113.1"), ipallow.Moment{})
		route.Admits(netip.MustParseAddr("203.0.113.1"), ipallow.Moment{})
		route.PassHeader(name)
		table.AppendLocation(location, host, name, name)
	}); n != 0 {
		t.Errorf("what is asked for each request allocates %v times", n)
	}
}

// TestTraceTellsTheSame holds the doors to one verdict, traced or not.
func TestTraceTellsTheSame(t *testing.T) {
	table := manyHosts(t, 10)
	for _, path := range []string{"/", "/admin", "/a/..", "/reports/x"} {
		for _, last := range []byte{1, 5, 9, 77} {
			q := &tenancy.Request{
				Client: netip.AddrFrom4([4]byte{203, 0, 113, last}), SNI: tenancy.Identity{TenantID: "t0"},
				Method: []byte("GET"), Authority: []byte("h0.t0.hosted.example"), Path: []byte(path),
			}
			var trace tenancy.Trace
			if plain, traced := table.Request(q, nil), table.Request(q, &trace); plain != traced || len(trace.Steps) == 0 {
				t.Errorf("%s from .%d: %v, and traced %v", path, last, plain, traced)
			}
		}
	}
}

func BenchmarkDoors(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		table := manyHosts(b, n)
		for name, door := range doors(table) {
			if strings.Contains(name, "/") && n != 1_000 {
				continue
			}
			b.Run(fmt.Sprintf("%s/hosts=%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					door()
				}
			})
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	const tenants = 10_000
	b.Run("all", func(b *testing.B) {
		in := manyInput(tenants, 3, nil)
		for b.Loop() {
			tenancy.Compile(in)
		}
	})
	b.Run("one edited", func(b *testing.B) {
		in := manyInput(tenants, 3, nil)
		before, _ := tenancy.Compile(in)
		edited := manyInput(tenants, 3, map[int]bool{77: true})
		edited.Previous = before
		for b.Loop() {
			if _, result := tenancy.Compile(edited); len(result.Changed) != 1 {
				b.Fatal(summary(result))
			}
		}
	})
	b.Run("main edited", func(b *testing.B) {
		in := manyInput(tenants, 3, nil)
		before, _ := tenancy.Compile(in)
		edited := manyInput(tenants, 3, nil)
		edited.Previous, edited.MainText = before, []byte("version: 1 # edited\n")
		for b.Loop() {
			if _, result := tenancy.Compile(edited); len(result.Changed) != 0 {
				b.Fatal(summary(result))
			}
		}
	})
}

// TestUnchangedTenantsKeepTheirPointers holds Compile to the unit of change.
func TestUnchangedTenantsKeepTheirPointers(t *testing.T) {
	before, _ := tenancy.Compile(manyInput(20, 2, nil))
	edited := manyInput(20, 2, map[int]bool{7: true})
	for _, text := range []string{"version: 1\n", "version: 1 # edited\n"} {
		edited.Previous, edited.MainText = before, []byte(text)
		after, result := tenancy.Compile(edited)
		if got := strings.Join(result.Changed, " "); got != "t7" {
			t.Errorf("changed = %q, want t7", got)
		}
		for _, tenant := range after.Tenants() {
			same := before.Tenant(tenant.ID()) == tenant
			if same == (tenant.ID() == "t7") {
				t.Errorf("tenant %s: same pointer = %v", tenant.ID(), same)
			}
		}
		if bytes.Equal(in(before.Tenant("t7")), in(after.Tenant("t7"))) {
			t.Error("the digest of the edited tenant did not change")
		}
		if after.Generation() != before.Generation()+1 {
			t.Errorf("generation %d after %d", after.Generation(), before.Generation())
		}
	}
}

func in(t *tenancy.Tenant) []byte {
	digest := t.Digest()
	return digest[:]
}
