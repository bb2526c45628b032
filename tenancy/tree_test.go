package tenancy_test

import (
	"io/fs"
	"os"
	"testing"
	"testing/fstest"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// locked is a file system in which one file cannot be opened.
type locked struct {
	fs.FS
	name string
}

func (l locked) Open(name string) (fs.File, error) {
	if name == l.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return l.FS.Open(name)
}

func patterns(texts ...string) conf.List[string] {
	list := conf.List[string]{Pos: conf.Pos{File: "gatehouse.yaml", Line: 1, Col: 1}}
	for _, text := range texts {
		list.Items = append(list.Items, conf.At[string]{V: text, Pos: list.Pos})
	}
	return list
}

func TestReadTree(t *testing.T) {
	fsys := locked{fstest.MapFS{
		"tenants/acme.yaml":        {Data: []byte("a")},
		"tenants/globex.yaml":      {Data: []byte("g")},
		"tenants/.#globex.yaml":    {Data: []byte("lock")},
		"tenants/notes.txt":        {Data: []byte("n")},
		"tenants/folder.yaml/file": {Data: []byte("f")},
		"more/acme.yaml":           {Data: []byte("b")},
		"more/closed.yaml":         {Data: []byte("c")},
		"more/large.yaml":          {Data: make([]byte, 2<<20+1)},
	}, "more/closed.yaml"}
	var r conf.Report
	files, unmatched := tenancy.ReadTree(fsys, patterns("tenants/*.yaml", "more/*.yaml", "tenants/a*.yaml", "none/*.yaml"), &r)
	var got []string
	for _, f := range files {
		text := f.ID + " " + f.Path + " " + string(f.Text)
		if f.Err != nil {
			text = f.ID + " " + f.Path + ": " + f.Err.Error()
		}
		got = append(got, text)
	}
	want := []string{
		`acme more/acme.yaml: tenants/acme.yaml is a file of the same tenant "acme"; expected one`,
		"closed more/closed.yaml: open more/closed.yaml: permission denied",
		"globex tenants/globex.yaml g",
		"large more/large.yaml: it has more than 2097152 bytes",
	}
	diff(t, "the files", want, got)
	diff(t, "the unmatched patterns", []string{"none/*.yaml"}, unmatched)
	if r.Faults() > 0 {
		t.Error(r.Findings())
	}
}

// TestUnreadableFile holds a file that cannot be read to the cost of its own
// tenant.
func TestUnreadableFile(t *testing.T) {
	text := "hosts: [acme.example]\naccess: {public: x}\nbackends: [\"http://10.4.1.10\"]\n"
	in := compileInput(tenancy.TenantFile{ID: "acme", Path: "tenants/acme.yaml", Text: []byte(text)})
	before, _ := tenancy.Compile(in)
	in.Files[0] = tenancy.TenantFile{ID: "acme", Path: "tenants/acme.yaml", Err: fs.ErrPermission}
	in.Previous = before
	after, result := tenancy.Compile(in)
	if after.Tenant("acme") != before.Tenant("acme") || len(result.Quarantined) != 1 || !result.Quarantined[0].Served {
		t.Errorf("quarantined = %v", result.Quarantined)
	}
	diff(t, "the finding", "etc/tenants/acme.yaml:1:1: the file cannot be read: permission denied", result.Report.Findings()[0].String())
	in.Previous, in.Files[0] = after, tenancy.TenantFile{ID: "acme", Path: "tenants/acme.yaml", Text: []byte(text)}
	again, result := tenancy.Compile(in)
	if again.Tenant("acme") != before.Tenant("acme") || len(result.Quarantined) != 0 {
		t.Errorf("after the file can be read: %s", summary(result))
	}
}

func compileInput(files ...tenancy.TenantFile) tenancy.Input {
	var r conf.Report
	return tenancy.Input{
		Main: new(tenancy.MainSpec), MainFile: "etc/gatehouse.yaml", Sets: ipallow.CompileSets(nil, nil, &r),
		TLS: tenancy.TLSDefaults{Issuer: tenancy.InternalCA}, Now: testNow, Files: files, FS: fstest.MapFS{},
	}
}

// TestExampleTree holds the tree that operators copy to compile without a word.
func TestExampleTree(t *testing.T) {
	fsys := os.DirFS("../configs")
	text, err := fs.ReadFile(fsys, "gatehouse.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var main mainFile
	var r, others conf.Report
	conf.Decode("gatehouse.yaml", text, &main, &others) // the keys of other rooms are unknown here
	sets := ipallow.CompileSets(main.Sets, nil, &r)
	in := tenancy.Input{
		Main: &main.MainSpec, MainFile: "gatehouse.yaml", Sets: sets, FS: fsys, Now: testNow,
		Listeners: tenancy.CompileListeners(main.Listen.HTTP, main.Listen.HTTPS, sets, &r),
		TLS:       tenancy.TLSDefaults{Issuer: tenancy.InternalCA, Profile: tlsconfig.Intermediate, HSTS: main.TLS.HSTS},
	}
	in.Files, _ = tenancy.ReadTree(fsys, main.Include, &r)
	table, result := tenancy.Compile(in)
	result.Report.Add(&r)
	for _, f := range result.Report.Findings() {
		if f.Severity != conf.Note {
			t.Error(f)
		}
	}
	if len(table.Tenants()) < 3 || result.Expected < 10 {
		t.Errorf("%d tenants and %d cases", len(table.Tenants()), result.Expected)
	}
}
