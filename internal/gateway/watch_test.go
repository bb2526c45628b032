package gateway

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// TestSettle: what ticks when, on a clock of its own.
func TestSettle(t *testing.T) {
	const ms = time.Millisecond
	every := func(gap time.Duration, n int) (at []time.Duration) {
		for i := range n {
			at = append(at, time.Duration(i)*gap)
		}
		return at
	}
	for _, test := range []struct {
		name   string
		events []time.Duration
		want   []time.Duration
	}{
		{"one event", []time.Duration{0}, []time.Duration{200 * ms}},
		{"a burst is one tick", every(10*ms, 20), []time.Duration{390 * ms}},
		{"two edits", []time.Duration{0, time.Second}, []time.Duration{200 * ms, 1200 * ms}},
		{"never quiet", every(100*ms, 35), []time.Duration{2000 * ms, 3600 * ms}},
		{"no event", nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				events := make(chan fsnotify.Event)
				w := &watcher{log: quiet(), events: &fsnotify.Watcher{Events: events, Errors: make(chan error)}}
				start := time.Now()
				var got []time.Duration
				stop := runWatcher(t, w, func() { got = append(got, time.Since(start)) })
				for _, at := range test.events {
					<-time.After(at - time.Since(start))
					events <- fsnotify.Event{Name: "gatehouse.yaml", Op: fsnotify.Write}
				}
				<-time.After(10*time.Second - time.Since(start))
				stop()
				if len(got) != len(test.want) {
					t.Fatalf("ticks at %v, want %v", got, test.want)
				}
				for i := range got {
					if got[i] != test.want[i] {
						t.Errorf("ticks at %v, want %v", got, test.want)
					}
				}
			})
		})
	}
}

// runWatcher runs a watcher until stop, which returns when it has ended.
func runWatcher(t *testing.T, w *watcher, tick func()) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.run(ctx, tick)
	}()
	return func() {
		cancel()
		<-done
	}
}

// TestPoll: every 30 s the files are read regardless, also where nothing can be
// watched.
func TestPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ticks := 0
		stop := runWatcher(t, &watcher{log: quiet()}, func() { ticks++ })
		<-time.After(3*pollTime + time.Second)
		stop()
		if ticks != 3 {
			t.Errorf("%d ticks in three polls", ticks)
		}
	})
}

// TestOwnFileIsIgnored: the access log beside the main file is not a change of
// the configuration.
func TestOwnFileIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		events := make(chan fsnotify.Event)
		w := &watcher{log: quiet(), ignored: "access.log", events: &fsnotify.Watcher{Events: events, Errors: make(chan error)}}
		ticks := 0
		stop := runWatcher(t, w, func() { ticks++ })
		for range 100 {
			events <- fsnotify.Event{Name: "./access.log", Op: fsnotify.Write}
			<-time.After(10 * time.Millisecond)
		}
		<-time.After(time.Second)
		if ticks != 0 {
			t.Errorf("%d ticks, want none", ticks)
		}
		events <- fsnotify.Event{Name: "./gatehouse.yaml", Op: fsnotify.Write}
		<-time.After(time.Second)
		stop()
		if ticks != 1 {
			t.Errorf("%d ticks, want one", ticks)
		}
	})
}

// TestLostEvents: when the kernel's queue overflows, the files are read at once.
func TestLostEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		errs := make(chan error)
		var log transcript
		w := &watcher{log: log.logger(), events: &fsnotify.Watcher{Events: make(chan fsnotify.Event), Errors: errs}}
		ticks := 0
		stop := runWatcher(t, w, func() { ticks++ })
		errs <- fsnotify.ErrEventOverflow
		synctest.Wait()
		stop()
		if ticks != 1 {
			t.Errorf("%d ticks, want one", ticks)
		}
		wantContains(t, log.String(), "an event was lost")
	})
}

// watching is a watcher on real folders.
type watching struct {
	t     *testing.T
	w     *watcher
	ticks chan struct{}
}

func watch(t *testing.T, folders ...string) *watching {
	t.Helper()
	x := &watching{t: t, w: newWatcher("", quiet()), ticks: make(chan struct{}, 1)}
	t.Cleanup(func() { must(t, x.w.close()) })
	if !x.w.setFolders(folders) {
		t.Error("setFolders of new folders: nothing new is watched")
	}
	if x.w.setFolders(folders) {
		t.Error("setFolders of the same folders: something new is watched")
	}
	t.Cleanup(runWatcher(t, x.w, func() {
		select {
		case x.ticks <- struct{}{}:
		default:
		}
	}))
	return x
}

// notices does something and wants a tick for it.
func (x *watching) notices(what string, do func()) {
	x.t.Helper()
	do()
	select {
	case <-x.ticks:
	case <-time.After(patience):
		x.t.Errorf("%s is not noticed", what)
	}
}

// TestNotices: the ways in which files change.
func TestNotices(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", "version: 1\n", "tenants/acme.yaml", "hosts: []\n")
	x := watch(t, dir, filepath.Join(dir, "tenants"))
	acme := filepath.Join(dir, "tenants/acme.yaml")
	x.notices("a write in place", func() { put(t, dir, "tenants/acme.yaml", "hosts: [a]\n") })
	x.notices("a rename over it", func() {
		put(t, dir, "tenants/acme.yaml.new", "hosts: [b]\n")
		must(t, os.Rename(acme+".new", acme))
	})
	x.notices("a write after the rename", func() { put(t, dir, "tenants/acme.yaml", "hosts: [c]\n") })
	x.notices("a new file", func() { put(t, dir, "tenants/globex.yaml", "hosts: []\n") })
	x.notices("a removed file", func() { must(t, os.Remove(acme)) })
	x.notices("a readable file", func() { must(t, os.Chmod(filepath.Join(dir, "gatehouse.yaml"), 0o640)) })
}

// TestNoticesSwaps: Kubernetes turns the link ..data to a new folder, and others
// turn a link to a release.
func TestNoticesSwaps(t *testing.T) {
	dir := tree(t, "..1/acme.yaml", "one\n", "..2/acme.yaml", "two\n", "releases/1/a", "", "releases/2/a", "")
	must(t, os.Symlink("..1", filepath.Join(dir, "..data")))
	must(t, os.Symlink("..data/acme.yaml", filepath.Join(dir, "acme.yaml")))
	must(t, os.Symlink("releases/1", filepath.Join(dir, "current")))
	turn := func(link, target string) {
		must(t, os.Symlink(target, filepath.Join(dir, "turning")))
		must(t, os.Rename(filepath.Join(dir, "turning"), filepath.Join(dir, link)))
	}
	t.Run("..data", func(t *testing.T) {
		x := watch(t, dir)
		x.notices("the swap", func() { turn("..data", "..2") })
	})
	t.Run("a link to the folder", func(t *testing.T) {
		current := filepath.Join(dir, "current")
		x := watch(t, current)
		x.notices("the turn", func() { turn("current", "releases/2") })
		if !x.w.setFolders([]string{current}) {
			t.Error("the folder that the link leads to now is not watched anew")
		}
		x.notices("a write behind the link", func() { put(t, dir, "releases/2/a", "x") })
	})
}

// TestNoticesReplacedFolders: a folder that comes, or that another one takes the
// place of, is watched once it was looked at.
func TestNoticesReplacedFolders(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", "", "next/acme.yaml", "")
	tenants := filepath.Join(dir, "tenants")
	folders := []string{dir, tenants, filepath.Join(dir, "a/b/c")}
	x := watch(t, folders...)
	again := func(what string) {
		t.Helper()
		if !x.w.setFolders(folders) {
			t.Errorf("%s: it is not watched anew", what)
		}
		x.notices(what+": a write in it", func() { put(t, dir, "tenants/acme.yaml", what) })
	}
	x.notices("the folder that comes", func() { must(t, os.Mkdir(tenants, 0o700)) })
	again("the folder that came")
	x.notices("another one in its place", func() {
		must(t, os.Rename(tenants, filepath.Join(dir, "former")))
		must(t, os.Rename(filepath.Join(dir, "next"), tenants))
	})
	again("the one that took its place")
	x.notices("a folder far below", func() { must(t, os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o700)) })
	if x.w.setFolders(folders); x.w.setFolders(folders) {
		t.Error("setFolders finds something new each time")
	}
}

// TestFolderOfTwoNames: a folder that is named twice is watched once, and does
// not look new each time.
func TestFolderOfTwoNames(t *testing.T) {
	dir := tree(t, "tenants/acme.yaml", "")
	must(t, os.Symlink("tenants", filepath.Join(dir, "link")))
	x := watch(t, dir, filepath.Join(dir, "tenants"), filepath.Join(dir, "link"), filepath.Join(dir, "tenants/../tenants"))
	if n := len(x.w.events.WatchList()); n != 2 {
		t.Errorf("%d folders are watched, want two: %q", n, x.w.events.WatchList())
	}
}

// TestFoldersMax: a tree of very many folders takes a bounded number of watches.
func TestFoldersMax(t *testing.T) {
	dir := t.TempDir()
	folders := []string{dir}
	for i := range foldersMax + 10 {
		folder := filepath.Join(dir, "t", string(rune('a'+i%26)), time.Duration(i).String())
		must(t, os.MkdirAll(folder, 0o700))
		folders = append(folders, folder)
	}
	if n := len(places(folders)); n != foldersMax {
		t.Errorf("%d folders would be watched, want %d", n, foldersMax)
	}
}

// TestForgetsFolders: what is no longer part of the tree is no longer watched.
func TestForgetsFolders(t *testing.T) {
	dir := tree(t, "a/x", "", "b/x", "")
	w := newWatcher("", quiet())
	defer func() { must(t, w.close()) }()
	w.setFolders([]string{filepath.Join(dir, "a"), filepath.Join(dir, "b")})
	w.setFolders([]string{filepath.Join(dir, "b")})
	if list := w.events.WatchList(); len(list) != 1 || filepath.Base(list[0]) != "b" {
		t.Errorf("watched: %q, want b alone", list)
	}
}

// TestUnwatchable: where the system refuses a watch, that is said once, and the
// poll remains.
func TestUnwatchable(t *testing.T) {
	var log transcript
	w := newWatcher("", log.logger())
	must(t, w.events.Close())
	dir := t.TempDir()
	for range 3 {
		if w.setFolders([]string{dir}) {
			t.Error("a folder is watched by a watcher that was closed")
		}
	}
	wantContains(t, log.take(), "a folder cannot be watched")
	if w.add(dir) || log.String() != "" {
		t.Errorf("said again: %s", log.String())
	}
	if !errors.Is(w.events.Add(dir), fsnotify.ErrClosed) {
		t.Error("the watcher is not closed")
	}
}
