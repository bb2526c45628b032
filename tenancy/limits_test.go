package tenancy_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"gatehouse/tenancy"
)

// TestOneFileIsCheap holds what one tenant's file can cost everybody's reload
// to work that nobody notices: everything that is written once and counts for
// each route of each host is bounded.
func TestOneFileIsCheap(t *testing.T) {
	const (
		access   = "access: {public: shop}\n"
		backends = "backends: [\"http://10.4.1.10\"]\n"
	)
	hosts := "hosts:\n" + many(25, "- {host: h%d.example, request_buffer: 1KiB}\n")
	routes := func(n int, what string) string { return "routes:\n" + many(n, "  /r%d/: "+what+"\n") }
	for _, test := range []struct{ name, text, want string }{
		{
			"headers", access + backends + hosts + "headers: {request: {set: {" + many(5000, "x-a%d: b, ") + "}}}\n" + routes(100, "{headers: {request: {set: {x: y}}}}"),
			"5000 fields of the request are set or removed; expected at most 64",
		},
		{
			"headers of all levels", access + backends + hosts + "headers: {request: {set: {" + many(64, "x-a%d: b, ") + "}}}\n" + routes(900, "{headers: {request: {set: {x: y}}}}"),
			"65 fields are set or removed, those of wider levels included; expected at most 64",
		},
		{
			"headers of routes", access + backends + hosts + routes(20, "{headers: {request: {set: {"+many(500, "x-a%d: b, ")+"}}}}"),
			"500 fields of the request are set or removed; expected at most 64",
		},
		{
			"pass_headers", access + backends + hosts + "pass_headers: [" + many(5000, "a_%d, ") + "]\n" + routes(900, "{}"),
			"pass_headers names 5000 fields; expected at most 64",
		},
		{
			"backends", access + hosts + "backends: [" + many(5000, "\"http://10.1.1.1:%d\", ") + "]\n" + routes(900, "{}"),
			"backends names 5000; expected at most 256 in a list, and 10000 in all lists of a tenant",
		},
		{
			"hosts", access + backends + "hosts:\n" + many(20_000, "- h%d.example\n"),
			"the tenant has 20000 hosts; expected at most 10000",
		},
		{
			"routes", access + backends + hosts + routes(20_000, "{}"),
			`host "h0.example" has 20000 routes; expected at most 1000`,
		},
		{
			"routes of all hosts", access + backends + hosts + routes(900, "{}"),
			"the tenant has more than 20000 routes, those of all hosts taken together",
		},
		{
			"nested routes", access + backends + hosts + "routes:\n" + nested(120, "{access: {allow: ["+many(200, "10.0.%d.1, ")+"]}}"),
			"120 routes with access of their own contain the paths of",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := allocated()
			_, result := tenancy.Compile(compileInput(tenancy.TenantFile{ID: "acme", Path: "acme.yaml", Text: []byte(test.text)}))
			if spent := allocated() - before; spent > allocatedMost {
				t.Errorf("it allocates %d MiB; want at most %d", spent>>20, allocatedMost>>20)
			}
			for _, f := range result.Report.Findings() {
				if strings.HasPrefix(f.Text, test.want) && f.Pos.Line > 0 {
					return
				}
			}
			t.Errorf("want %s among %d findings", test.want, len(result.Report.Findings()))
		})
	}
}

// allocatedMost bounds the work on one file: what is counted is bytes, because
// time depends on what else the machine does.
const allocatedMost = 256 << 20

// allocated returns the bytes that were allocated since the process began.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// many writes lines that differ by a number.
func many(n int, format string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.ReplaceAll(format, "%d", fmt.Sprint(i)))
	}
	return b.String()
}

// nested writes routes that lie below each other.
func nested(n int, what string) string {
	var b strings.Builder
	prefix := ""
	for range n {
		prefix += "/a"
		fmt.Fprintf(&b, "  %s: %s\n", prefix, what)
	}
	return b.String()
}

// TestFaultsOfManyAreNamed holds a report to naming faults of every tenant, and
// to leaving room for the main file's, however many one tenant has.
func TestFaultsOfManyAreNamed(t *testing.T) {
	in := compileInput()
	for _, id := range []string{"a", "b", "c"} {
		in.Files = append(in.Files, tenancy.TenantFile{ID: id, Path: id + ".yaml", Text: []byte("hosts: [" + id + ".example]\n" + many(250, "wrong%d: x\n"))})
	}
	_, result := tenancy.Compile(in)
	named := make(map[string]int)
	for _, f := range result.Report.Findings() {
		named[f.Pos.File]++
	}
	diff(t, "how many faults are named", map[string]int{"etc/a.yaml": 50, "etc/b.yaml": 50, "etc/c.yaml": 50}, named)
	if n := result.Report.Faults(); n < 750 {
		t.Errorf("%d faults are counted, want all", n)
	}
}
