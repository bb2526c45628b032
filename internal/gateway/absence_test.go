package gateway

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tenantsOnce runs a gateway with tenants once, so that the state folder has
// copies of them, and returns the folder of its main file.
func tenantsOnce(t *testing.T) string {
	t.Helper()
	dir := tree(t, "tenants/acme.yaml", acmeText, "tenants/globex.yaml", strings.NewReplacer("acme", "globex", ":9", ":10").Replace(acmeText))
	start(t, dir, "").stop()
	return dir
}

// wantReady wants the gateway to be ready, or to say why it is not.
func (r *running) wantReady(why string) {
	r.t.Helper()
	status, body := get(r.t, "http://"+r.health+"/readyz", "")
	if (status == 200) != (why == "") || !strings.Contains(body, why) {
		r.t.Errorf("GET /readyz = %d %q, want %q", status, body, why)
	}
}

// TestStartWithoutTenants: a start that finds no file of those that were served
// is not ready until the files are back, and does not forget them.
func TestStartWithoutTenants(t *testing.T) {
	dir := tenantsOnce(t)
	tenants, away := filepath.Join(dir, "tenants"), filepath.Join(dir, "away")
	must(t, os.Rename(tenants, away))
	for range 2 {
		r := start(t, dir, "")
		r.wantReady(`include "tenants/*.yaml" matches no file, and 2 of 2 tenants`)
		got, err := r.client.Reload(t.Context(), false)
		if err != nil || !got.Applied || len(got.Notes) != 1 {
			t.Errorf("reload = %+v, %v", got, err)
		}
		r.wantReady("reload --force")
		r.stop()
		wantContains(t, r.said.String(), "level=ERROR", "gatehouse.yaml:9:11", `tenants="acme, globex"`)
	}
	r := start(t, dir, "")
	must(t, os.Rename(away, tenants))
	eventually(t, "the files are back", func() bool {
		status, err := r.client.Status(t.Context())
		return err == nil && status.Ready && len(status.Tenants) == 2
	})
	r.stop()
	r = start(t, dir, "")
	r.wantReady("")
	r.stop()
}

// TestTenantsThatAreToGo: whoever forces a reload lets them go for good; and
// --strict is no start at all.
func TestTenantsThatAreToGo(t *testing.T) {
	dir := tenantsOnce(t)
	must(t, os.RemoveAll(filepath.Join(dir, "tenants")))
	err := Run(t.Context(), Options{Config: filepath.Join(dir, "gatehouse.yaml"), Strict: true, Log: quiet(), Stdout: io.Discard})
	if err == nil {
		t.Fatal("a strict start misses nobody")
	}
	wantContains(t, err.Error(), `gatehouse.yaml:9:11: include "tenants/*.yaml" matches no file`, "without --strict")

	r := start(t, dir, "")
	r.wantReady("matches no file")
	got, err := r.client.Reload(t.Context(), true)
	if err != nil || !got.Applied || len(got.Notes) != 0 {
		t.Errorf("reload --force = %+v, %v", got, err)
	}
	r.wantReady("")
	r.stop()
	r = start(t, dir, "")
	r.wantReady("")
	r.stop()
}

// TestAbsentIn: what is missed, and what has gone by somebody's wish.
func TestAbsentIn(t *testing.T) {
	files := []string{"gatehouse.yaml", mainText}
	for i := range 10 {
		id := fmt.Sprintf("t%d", i)
		files = append(files, "tenants/"+id+".yaml", strings.NewReplacer("acme", id, ":9", fmt.Sprint(":", 100+i)).Replace(acmeText))
	}
	h := build(t, tree(t, files...))
	h.copies.write(t.Context())
	both := strings.Replace(mainText, "[tenants/*.yaml]", "[tenants/*.yaml, more/*.yaml]", 1)
	for _, step := range []struct {
		main string
		gone int // files that are taken away before
		want int // tenants that are missed
	}{
		{both, 0, 0},
		{both, 3, 0},
		{both, 1, 4},
		{mainText, 0, 0},
		{both, 6, 10},
		{mainText, 0, 10},
		{strings.Replace(mainText, "include: [tenants/*.yaml]", "include: []", 1), 0, 0},
	} {
		h.put("gatehouse.yaml", step.main)
		left, err := filepath.Glob(filepath.Join(h.dir, "tenants/*.yaml"))
		must(t, err)
		for _, name := range left[:step.gone] {
			must(t, os.Remove(name))
		}
		next, err := newLoader(filepath.Join(h.dir, "gatehouse.yaml"), toRun).load(nil)
		must(t, err)
		got := 0
		if a := h.absentIn(t.Context(), next); a != nil {
			got = len(a.tenants)
		}
		if got != step.want {
			t.Errorf("of %q with %d files less %d are missed, want %d", step.main, step.gone, got, step.want)
		}
	}
}
