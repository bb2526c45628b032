package gateway

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gatehouse/internal/store"
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

// elevenTenants is a gateway with the copies of ten tenants below tenants/ and one
// below more/.
func elevenTenants(t *testing.T) *house {
	t.Helper()
	files := []string{"gatehouse.yaml", bothText, "more/other.yaml", strings.NewReplacer("acme", "other").Replace(acmeText)}
	for i := range 10 {
		files = append(files, oneOfTen(i)...)
	}
	h := build(t, tree(t, files...))
	h.copies.write(t.Context())
	return h
}

var bothText = strings.Replace(mainText, "[tenants/*.yaml]", "[tenants/*.yaml, more/*.yaml]", 1)

// oneOfTen is the name and the text of one of ten.
func oneOfTen(i int) []string {
	id := fmt.Sprintf("t%d", i)
	return []string{"tenants/" + id + ".yaml", strings.NewReplacer("acme", id, ":9", fmt.Sprint(":", 100+i)).Replace(acmeText)}
}

// read loads the tree as a start does.
func (h *house) read() *loaded {
	h.t.Helper()
	l, err := newLoader(filepath.Join(h.dir, "gatehouse.yaml"), toRun).load(nil)
	must(h.t, err)
	return l
}

// TestAbsentIn: what is missed, and what has gone by somebody's wish.
func TestAbsentIn(t *testing.T) {
	h := elevenTenants(t)
	must(t, os.Remove(filepath.Join(h.dir, "more/other.yaml")))
	for _, step := range []struct {
		main string
		gone int // files that are taken away before
		want int // tenants that are missed
	}{
		{mainText, 0, 0},
		{bothText, 2, 0},
		{bothText, 1, 4},
		{mainText, 0, 0},
		{bothText, 7, 11},
		{mainText, 0, 11},
		{strings.Replace(mainText, "include: [tenants/*.yaml]", "include: []", 1), 0, 0},
	} {
		h.put("gatehouse.yaml", step.main)
		left, err := filepath.Glob(filepath.Join(h.dir, "tenants/*.yaml"))
		must(t, err)
		for _, name := range left[:step.gone] {
			must(t, os.Remove(name))
		}
		a, err := h.absentIn(t.Context(), h.read())
		must(t, err)
		if got := a.count(); got != step.want {
			t.Errorf("of %q with %d files less %d are missed, want %d", step.main, step.gone, got, step.want)
		}
	}
}

func (a *absence) count() int {
	if a == nil {
		return 0
	}
	return len(a.tenants)
}

// TestFilesComeOneByOne: the first file that is back does not make the gateway
// ready, nor does a state folder that cannot be listed.
func TestFilesComeOneByOne(t *testing.T) {
	for name, c := range map[string]struct {
		main  string
		back  int // tenants whose files are back
		force bool
		want  int // tenants that are missed still
		why   string
	}{
		"none":               {main: bothText, want: 10, why: `include "tenants/*.yaml" matches no file, and 10 of 11 tenants`},
		"the first":          {main: bothText, back: 1, want: 9, why: `include "tenants/*.yaml" matched no file at the start, and 9 of 11 tenants`},
		"too few":            {main: bothText, back: 6, want: 4, why: "4 of 11"},
		"enough":             {main: bothText, back: 7},
		"force":              {main: bothText, back: 1, force: true},
		"the pattern goes":   {main: strings.Replace(mainText, "tenants/*", "more/*", 1)},
		"another is as lost": {main: strings.Replace(mainText, "tenants/*", "tenants/*/*", 1), want: 10, why: `"tenants/*/*.yaml" matches no file`},
	} {
		t.Run(name, func(t *testing.T) {
			h := elevenTenants(t)
			must(t, os.RemoveAll(filepath.Join(h.dir, "tenants")))
			must(t, h.missAtStart(t.Context(), h.read()))
			h.copies.blobs = &unlisted{Store: h.copies.blobs, fails: 100}
			h.put("gatehouse.yaml", c.main)
			for i := range c.back {
				file := oneOfTen(i)
				h.put(file[0], file[1])
			}
			h.missNoMore(t.Context(), h.read(), c.force)
			now := h.absent.Load()
			if now.count() != c.want {
				t.Fatalf("%d are missed, want %d", now.count(), c.want)
			}
			if now != nil {
				wantContains(t, now.Error(), c.why)
			}
		})
	}
}

// TestStartWithoutList: while the state folder cannot be listed nobody is known
// to have gone, and no copy is deleted.
func TestStartWithoutList(t *testing.T) {
	for fails, want := range []int{10, 10, 0} {
		h := elevenTenants(t)
		must(t, os.RemoveAll(filepath.Join(h.dir, "tenants")))
		h.copies.blobs = &unlisted{Store: h.copies.blobs, fails: fails}
		h.said.take()
		first := h.read()
		must(t, h.missAtStart(t.Context(), first))
		h.forgetGone(t.Context(), first)
		if got := h.absent.Load().count(); got != want {
			t.Errorf("after %d errors %d are missed, want %d", fails, got, want)
		}
		if work := h.copies.take(); len(work) > 0 {
			t.Errorf("after %d errors %d copies would be deleted", fails, len(work))
		}
		if said := h.said.String(); strings.Count(said, "cannot be listed") != fails {
			t.Errorf("after %d errors the log is %s", fails, said)
		}
	}
}

// unlisted is a store that cannot be listed the first times.
type unlisted struct {
	store.Store
	fails int
}

func (u *unlisted) List(ctx context.Context, prefix string) ([]string, error) {
	if u.fails > 0 {
		u.fails--
		return nil, syscall.EIO
	}
	return u.Store.List(ctx, prefix)
}
