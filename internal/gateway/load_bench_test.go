package gateway

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const manyTenants = 10_000

// writeMany writes a main file and n small tenant files, as a hosting provider
// has them, and returns the main file's path.
func writeMany(tb testing.TB, n int) string {
	tb.Helper()
	dir := tb.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tenants"), 0o700); err != nil {
		tb.Fatal(err)
	}
	main := filepath.Join(dir, "gatehouse.yaml")
	writeText(tb, main, `version: 1
listen: {http: ["127.0.0.1:0"], https: ["127.0.0.1:0"]}
state: state
log: {access: off}
include: [tenants/*.yaml]
sets: {our-noc: [192.0.2.10]}
`)
	for i := range n {
		writeText(tb, tenantFile(main, i), tenantText(i, "/28"))
	}
	return main
}

func tenantFile(main string, i int) string {
	return filepath.Join(filepath.Dir(main), fmt.Sprintf("tenants/t%05d.yaml", i))
}

func tenantText(i int, bits string) string {
	return fmt.Sprintf(`hosts: [t%05d.example, www.t%05d.example]
access: {allow: [203.0.113.0%s, set:our-noc]}
backends: ["http://10.%d.%d.10:8080"]
routes:
  /admin/: {access: {allow: [set:our-noc]}}
expect:
  - {get: "https://t%05d.example/", from: 203.0.113.5, is: forward}
`, i, i, bits, i/250, i%250, i)
}

func writeText(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkLoad10k is what `gatehouse check` does with ten thousand tenants.
func BenchmarkLoad10k(b *testing.B) {
	main := writeMany(b, manyTenants)
	b.ReportAllocs()
	for b.Loop() {
		l, err := newLoader(main, toRun).load(nil)
		wantApplicable(b, l, err)
	}
}

// BenchmarkReloadOneOf10k is one edited file among ten thousand.
func BenchmarkReloadOneOf10k(b *testing.B) {
	main := writeMany(b, manyTenants)
	<-time.After(settledAge) // an edit finds a tree that has been there for a while
	loader := newLoader(main, toRun)
	l, err := loader.load(nil)
	wantApplicable(b, l, err)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		b.StopTimer()
		i++
		writeText(b, tenantFile(main, 17), tenantText(17, []string{"/28", "/29"}[i%2]))
		b.StartTimer()
		next, err := loader.load(l)
		wantApplicable(b, next, err)
		if len(next.result.Changed) != 1 {
			b.Fatalf("changed %q, want one tenant", next.result.Changed)
		}
		l = next
	}
}

func wantApplicable(tb testing.TB, l *loaded, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	if n := l.result.Report.Faults(); n > 0 || len(l.result.Quarantined) > 0 {
		tb.Fatalf("%d faults, the first: %v", n, l.result.Report.Findings()[0])
	}
}
