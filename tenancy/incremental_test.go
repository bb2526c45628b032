package tenancy_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
)

// world is a random tree that always compiles.
type world struct {
	rand    *rand.Rand
	noc     int // the size of a shared set
	idle    int // a default
	tenants map[string]int
}

func (w *world) edit() {
	id := fmt.Sprintf("t%d", w.rand.IntN(12))
	switch w.rand.IntN(6) {
	case 0:
		delete(w.tenants, id)
	case 1:
		w.noc = 1 + w.rand.IntN(3)
	case 2:
		w.idle = 1 + w.rand.IntN(3)
	default:
		w.tenants[id] = w.rand.IntN(24)
	}
}

func (w *world) input(t *testing.T) tenancy.Input {
	main := fmt.Sprintf("include: [\"*.yaml\"]\ndefaults: {timeouts: {idle: %ds}}\ngroups: {gold: {request_buffer: %dKiB}}\nsets:\n  noc:\n", w.idle, w.noc)
	for i := range w.noc {
		main += fmt.Sprintf("    - 192.0.2.%d\n", i)
	}
	var spec mainFile
	var r conf.Report
	conf.Decode("gatehouse.yaml", []byte(main), &spec, &r)
	in := compileInput()
	in.Main, in.MainText, in.Sets = &spec.MainSpec, []byte(main), ipallow.CompileSets(spec.Sets, nil, &r)
	for id, shape := range w.tenants {
		text := fmt.Sprintf("hosts: [%s.example, \"*.%s.example\"]\nbackends: [\"http://%s.internal:%d\"]\n", id, id, id, 8000+shape%3)
		text += []string{"access: {allow: [203.0.113.5]}\n", "access: {allow: [set:noc]}\n"}[shape%2]
		text += []string{"", "group: gold\n"}[shape/2%2]
		text += []string{"", "routes: {/a/: {timeouts: {idle: 9s}}}\n", "headers: {response: {remove: [Server]}}\n"}[shape/4%3]
		in.Files = append(in.Files, tenancy.TenantFile{ID: id, Path: id + ".yaml", Text: []byte(text)})
	}
	slices.SortFunc(in.Files, func(a, b tenancy.TenantFile) int { return len(a.ID) - len(b.ID) })
	if r.Faults() > 0 {
		t.Fatal(r.Findings())
	}
	return in
}

// TestStepByStep holds a table that was compiled step after step to what the
// same files come to at once, and pointers to meaning: they change exactly when
// the digest does.
func TestStepByStep(t *testing.T) {
	w := &world{rand: rand.New(rand.NewPCG(1, 2)), noc: 1, idle: 1, tenants: map[string]int{}}
	var table *tenancy.Table
	for step := range 300 {
		w.edit()
		in := w.input(t)
		fresh, result := tenancy.Compile(in)
		if result.Report.Faults() > 0 {
			t.Fatal(result.Report.Findings())
		}
		in.Previous = table
		next, _ := tenancy.Compile(in)
		if len(next.Tenants()) != len(fresh.Tenants()) {
			t.Fatalf("step %d: %d tenants, and at once %d", step, len(next.Tenants()), len(fresh.Tenants()))
		}
		for _, tenant := range next.Tenants() {
			if tenant.Digest() != fresh.Tenant(tenant.ID()).Digest() {
				t.Fatalf("step %d: tenant %s differs from what its file comes to at once", step, tenant.ID())
			}
			if table == nil || table.Tenant(tenant.ID()) == nil {
				continue
			}
			before := table.Tenant(tenant.ID())
			if same := before.Digest() == tenant.Digest(); same != (before == tenant) {
				t.Fatalf("step %d: tenant %s: same digest = %v, same pointer = %v", step, tenant.ID(), same, before == tenant)
			}
			if h := next.Lookup("x." + tenant.ID() + ".example"); h == nil || h.Tenant() != tenant {
				t.Fatalf("step %d: the hosts of tenant %s lead elsewhere", step, tenant.ID())
			}
		}
		table = next
	}
}

// TestSharedSetsStayShared edits tenant after tenant and holds the table to the
// memory of one copy of what they share.
func TestSharedSetsStayShared(t *testing.T) {
	const tenants, prefixes = 16, 3000
	main := "include: [\"*.yaml\"]\nsets:\n  big:\n" + many(prefixes, "    - \"2001:db8:%d::/48\"\n")
	size := make([]int, tenants)
	compile := func(previous *tenancy.Table) *tenancy.Table {
		var spec mainFile
		var r conf.Report
		conf.Decode("gatehouse.yaml", []byte(main), &spec, &r)
		in := compileInput()
		in.Main, in.MainText, in.Sets, in.Previous = &spec.MainSpec, []byte(main), ipallow.CompileSets(spec.Sets, nil, &r), previous
		for i := range tenants {
			text := fmt.Sprintf("hosts: [h%d.example]\naccess: {allow: [set:big]}\nbackends: [\"http://10.0.0.%d\"]\nrequest_buffer: %dKiB\n", i, i, size[i])
			in.Files = append(in.Files, tenancy.TenantFile{ID: fmt.Sprintf("t%02d", i), Path: fmt.Sprintf("t%02d.yaml", i), Text: []byte(text)})
		}
		table, result := tenancy.Compile(in)
		if result.Report.Faults()+r.Faults() > 0 {
			t.Fatal(result.Report.Findings()[0])
		}
		return table
	}
	table := compile(nil)
	before := heap()
	for i := range tenants {
		size[i]++
		if i%2 == 1 {
			main += "\n" // the main file changes as well, and not its sets
		}
		table = compile(table)
	}
	if grown := int64(heap()) - int64(before); grown > 2<<20 {
		t.Errorf("%d edits made a table grow by %d KiB", tenants, grown>>10)
	}
	runtime.KeepAlive(table)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
