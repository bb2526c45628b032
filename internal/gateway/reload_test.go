package gateway

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/internal/conf"
	"gatehouse/internal/metrics"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/proxy"
)

// house is a gateway without sockets, so that a test can reload it step by step.
type house struct {
	*gateway
	t    *testing.T
	dir  string
	disk storetest.Failing
	said transcript
}

// build applies the tree in dir for the first time, as Run does.
func build(t *testing.T, dir string) *house {
	t.Helper()
	h := &house{t: t, dir: dir}
	h.disk.Store = store.NewMem()
	log := h.said.logger()
	h.gateway = &gateway{
		options: Options{Version: "v-test"}, log: log, loader: newLoader(filepath.Join(dir, "gatehouse.yaml"), toRun),
		metrics:   metrics.New(proxy.ReasonNames()...),
		accessLog: &accessLog{}, watcher: newWatcher("", log),
		ticks: make(chan struct{}, 1), requests: make(chan request), leaving: make(chan struct{}),
	}
	watched := &watchedStore{Store: &h.disk, metrics: h.metrics}
	h.state = &state{disk: watched, blobs: watched, keys: noKeys()}
	must(t, h.readMain())
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		parts.Wait()
		must(t, h.watcher.close())
	})
	first, err := h.loadFirst(ctx)
	must(t, err)
	h.furnish(ctx, &parts)
	h.apply(ctx, first)
	h.watch(first, first, true)
	return h
}

// noKeys is the chain of a state that is not sealed.
func noKeys() *keychain {
	k := new(keychain)
	k.chain.Store(new([]heldKey))
	return k
}

func (h *house) put(name, text string) {
	h.t.Helper()
	put(h.t, h.dir, name, text)
}

func (h *house) reload(actor string) admin.ReloadResult {
	h.t.Helper()
	return h.reloadOnce(h.t.Context(), request{actor: actor})
}

const (
	mainText = `version: 1
listen: {http: [], https: ["127.0.0.1:0"]}
state: state
include: [tenants/*.yaml]
`
	acmeText = `hosts: [acme.example]
access: {allow: [203.0.113.0/28]}
backends: ["http://127.0.0.1:9"]
`
)

// TestUnchangedTicksAreSilent: what operators were told is not told again by
// ticks, but whoever asks gets an answer.
func TestUnchangedTicksAreSilent(t *testing.T) {
	warned := strings.Replace(acmeText, "203.0.113.0/28", "203.0.113.0/28, 203.0.113.5", 1)
	h := build(t, tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", warned+"expect:\n  - {get: \"https://acme.example/\", from: 192.0.2.1, is: forward}\n"))
	wantContains(t, h.said.take(), "tenants/acme.yaml:5:5", "expected forward")
	for range 3 {
		if got := h.reload(actorWatcher); !got.Unchanged || !got.Applied || got.Generation != 1 {
			t.Errorf("a tick without a change = %+v", got)
		}
	}
	if said := h.said.take(); said != "" || h.lastReload.Load() != nil {
		t.Errorf("ticks without a change say %s", said)
	}
	if got := h.reload("uid 0"); len(got.Findings) == 0 {
		t.Error("who asks is not told what is wrong")
	}
	wantContains(t, h.said.take(), "reload found nothing changed", "uid 0")
	if h.lastReload.Load() == nil {
		t.Error("a reload that was asked for is not kept")
	}
}

// TestBrokenTicksAreToldOnce: a broken file is told when it breaks and when it is
// mended, not every 30 s between.
func TestBrokenTicksAreToldOnce(t *testing.T) {
	h := build(t, tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeText))
	h.said.take()
	for _, broken := range []struct{ name, text, mended, word string }{
		{"tenants/acme.yaml", "hots: [acme.example]\n", acmeText, "tenant quarantined"},
		{"gatehouse.yaml", "verson: 1\n", mainText, "reload refused"},
	} {
		h.put(broken.name, broken.text)
		h.reload(actorWatcher)
		wantContains(t, h.said.take(), broken.word, "msg=finding", broken.name+":1:1", "did you mean")
		for range 3 {
			h.reload(actorWatcher)
		}
		if said := h.said.take(); said != "" {
			t.Errorf("%s: told again: %s", broken.name, said)
		}
		h.put(broken.name, broken.mended)
		h.reload(actorWatcher)
		if broken.name == "gatehouse.yaml" {
			if said := h.said.take(); !strings.Contains(said, "nothing changed") {
				t.Errorf("a mended main file: %s", said)
			}
			continue
		}
		wantContains(t, h.said.take(), "config applied", "quarantined=0")
	}
}

// TestReloadMetrics: what the scrape says of reloads and certificates.
func TestReloadMetrics(t *testing.T) {
	h := build(t, tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeText))
	h.reload("uid 0")
	h.put("tenants/globex.yaml", strings.ReplaceAll(acmeText, "acme", "globex"))
	h.reload("uid 0") // two tenants with one backend: both files are refused
	h.put("gatehouse.yaml", "version: 2\n")
	h.reload("uid 0")
	scrape := httptest.NewRecorder()
	h.metrics.Handler().ServeHTTP(scrape, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`reloads_total{result="applied"} 1`, `reloads_total{result="refused"} 1`, `reloads_total{result="unchanged"} 1`, `tenants_quarantined 1`,
	} {
		wantContains(t, scrape.Body.String(), line)
	}
	if strings.Contains(scrape.Body.String(), "certificate_not_after_seconds{") {
		t.Error("leaves of the internal CA, which renew by themselves, have an end in the metrics")
	}
}

// TestRefusedTreeIsWatched: while a main file is refused, the folders that it
// names are watched beside those in use.
func TestRefusedTreeIsWatched(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeText, "customers/x", "")
	h := build(t, dir)
	<-h.ticks // what happened before the folders were watched is read once more
	h.put("gatehouse.yaml", strings.Replace(mainText, "tenants/*", "customers/*", 1)+"blokc: []\n")
	if got := h.reload(actorWatcher); got.Applied {
		t.Fatal("a wrong main file is applied")
	}
	var watched []string
	for folder := range h.watcher.watched {
		watched = append(watched, filepath.Base(folder))
	}
	slices.Sort(watched)
	if want := []string{filepath.Base(dir), "customers", "tenants"}; !slices.Equal(watched, slices.Sorted(slices.Values(want))) {
		t.Errorf("watched: %q, want %q", watched, want)
	}
	select {
	case <-h.ticks:
	default:
		t.Error("a folder that is watched from now on is not read once more")
	}
	h.put("gatehouse.yaml", mainText)
	h.reload(actorWatcher)
	if h.watcher.watched[filepath.Join(dir, "customers")] != nil {
		t.Error("a folder that is no longer named is watched")
	}
}

// TestUnreadableMainFile: while the main file is away, as in the middle of a
// checkout, everything stays as it is.
func TestUnreadableMainFile(t *testing.T) {
	h := build(t, tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeText))
	must(t, os.Rename(filepath.Join(h.dir, "gatehouse.yaml"), filepath.Join(h.dir, "away")))
	if got := h.reload("uid 0"); got.Applied || !strings.Contains(got.Refused, "no such file or directory") || got.Generation != 1 {
		t.Errorf("reload = %+v", got)
	}
	must(t, syscall.Mkfifo(filepath.Join(h.dir, "gatehouse.yaml"), 0o600))
	if got := h.reload("uid 0"); got.Applied || !strings.Contains(got.Refused, "it is not a file") {
		t.Errorf("reload = %+v", got)
	}
	must(t, os.Remove(filepath.Join(h.dir, "gatehouse.yaml")))
	h.put("gatehouse.yaml", "#"+strings.Repeat("x", conf.MaxFileBytes))
	if got := h.reload("uid 0"); got.Applied || !strings.Contains(got.Refused, "it has more than 16777216 bytes") {
		t.Errorf("reload = %+v", got)
	}
	must(t, os.Rename(filepath.Join(h.dir, "away"), filepath.Join(h.dir, "gatehouse.yaml")))
	if got := h.reload("uid 0"); !got.Unchanged {
		t.Errorf("reload = %+v", got)
	}
}

// TestFolderOfTenantsThatCannotBeRead: while the folder of the tenants gives an
// error, everything stays as it is, whatever --force says.
func TestFolderOfTenantsThatCannotBeRead(t *testing.T) {
	h := build(t, tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeText))
	tenants := filepath.Join(h.dir, "tenants")
	must(t, os.Rename(tenants, filepath.Join(h.dir, "away")))
	must(t, os.Symlink("tenants", tenants))
	got := h.reloadOnce(t.Context(), request{force: true, actor: "uid 0"})
	wantContains(t, got.Refused, "gatehouse.yaml: include: tenants cannot be read: too many levels of symbolic links")
	if got.Applied || h.current.Load().table.Tenant("acme") == nil {
		t.Errorf("reload = %+v", got)
	}
	must(t, os.Remove(tenants))
	must(t, os.Rename(filepath.Join(h.dir, "away"), tenants))
	if got := h.reload("uid 0"); !got.Unchanged {
		t.Errorf("reload = %+v", got)
	}
}

// TestInternalCAThatCannotBeOpened: a full disk at the moment when the first host
// needs the internal CA costs that host until there is room, and no reload.
func TestInternalCAThatCannotBeOpened(t *testing.T) {
	h := build(t, tree(t, "gatehouse.yaml", mainText))
	if h.issuer.rootPEM() != nil {
		t.Error("a root is made that nobody needs")
	}
	h.disk.Fail(syscall.ENOSPC)
	h.put("tenants/acme.yaml", acmeText)
	if got := h.reload("uid 0"); !got.Applied || got.Generation != 2 {
		t.Errorf("reload = %+v", got)
	}
	wantContains(t, h.said.take(), "the internal CA cannot be opened", "no space left on device")
	if list := h.presenter.status(time.Now()); len(list) != 0 {
		t.Errorf("certificates: %v", list)
	}
	h.disk.Fail(nil)
	h.reload(actorWatcher)
	if list := h.presenter.status(time.Now()); len(list) != 1 || list[0].Names[0] != "acme.example" || list[0].State != "valid" {
		t.Errorf("certificates: %v", list)
	}
	if !bytes.Contains(h.issuer.rootPEM(), []byte("BEGIN CERTIFICATE")) {
		t.Error("the root is not shown")
	}
}

// TestReloadLoop: requests and ticks are served one after the other until the
// gateway goes down; who asks then is told.
func TestReloadLoop(t *testing.T) {
	h := build(t, tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeText))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.reloadLoop(ctx)
	}()
	h.tick()
	h.tick() // a third would say nothing more
	for range 3 {
		if got, err := h.gateway.reload(t.Context(), false, "uid 7"); err != nil || got.Actor != "uid 7" || !got.Unchanged {
			t.Errorf("reload = %+v, %v", got, err)
		}
	}
	cancel()
	<-done
	if _, err := h.gateway.reload(t.Context(), false, "uid 7"); err == nil || !strings.Contains(err.Error(), "going down") {
		t.Errorf("reload after the end = %v", err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	h.leaving = make(chan struct{})
	if _, err := h.gateway.reload(gone, false, "uid 7"); err != context.Canceled {
		t.Errorf("reload of a caller who left = %v", err)
	}
}

func TestJoined(t *testing.T) {
	names := strings.Split("abcdefghijklm", "")
	for n, want := range map[int]string{0: "", 1: "a", 10: "a, b, c, d, e, f, g, h, i, j", 13: "a, b, c, d, e, f, g, h, i, j and 3 more"} {
		if got := joined(names[:n]); got != want {
			t.Errorf("joined of %d = %q, want %q", n, got, want)
		}
	}
}
