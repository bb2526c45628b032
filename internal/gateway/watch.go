package gateway

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settleTime is how long the folders must be quiet before they are read: an
	// editor's rename or a `git pull` is several events.
	settleTime = 200 * time.Millisecond
	// settleTimeMax is when they are read even if they never become quiet.
	settleTimeMax = 2 * time.Second
	// pollTime is how often they are read without any event: network file
	// systems and overlays do not tell.
	pollTime = 30 * time.Second
	// foldersMax bounds the kernel's watches; what lies beyond is polled.
	foldersMax = 1024
)

// watcher ticks when files in the watched folders may have changed. It watches
// folders, never files: a watch on a file dies with the first rename that
// replaces it, which is how editors and Kubernetes write.
type watcher struct {
	log     *slog.Logger
	ignored string            // path of a file that we write ourselves; "" for none
	events  *fsnotify.Watcher // nil: the system has none to give, everything is polled

	// What follows belongs to whoever calls setFolders.
	watched map[string]os.FileInfo
	refused map[string]bool // folders whose watch the system refused, and that was logged
}

// newWatcher returns a watcher of no folders. Events about the file ignored are
// passed over.
func newWatcher(ignored string, log *slog.Logger) *watcher {
	w := &watcher{log: log, watched: map[string]os.FileInfo{}, refused: map[string]bool{}}
	if ignored != "" {
		w.ignored = filepath.Clean(ignored)
	}
	events, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn("the configuration's folders cannot be watched; they are read every now and then instead", "every", pollTime, "err", err)
		return w
	}
	w.events = events
	return w
}

// setFolders watches just these folders. One that does not exist is waited for
// in the nearest folder above it; one that cannot be watched is left to the
// poll. It reports whether a folder is watched now that was not: what happened
// there since it was read last has made no event. It is called by one goroutine
// at a time.
func (w *watcher) setFolders(folders []string) (more bool) {
	if w.events == nil {
		return false
	}
	wanted := places(folders)
	watching := make(map[string]bool)
	for _, folder := range w.events.WatchList() {
		watching[folder] = true
	}
	for folder, info := range w.watched {
		// A folder that was replaced by another one of its name is watched anew.
		if now, ok := wanted[folder]; !ok || !os.SameFile(info, now) || !watching[folder] {
			_ = w.events.Remove(folder) // it may be gone, and its watch with it
			delete(w.watched, folder)
		}
	}
	for folder, info := range wanted {
		if w.watched[folder] == nil && w.add(folder) {
			w.watched[folder] = info
			more = true
		}
	}
	return more
}

func (w *watcher) add(folder string) bool {
	err := w.events.Add(folder)
	if err != nil && !w.refused[folder] {
		w.log.Warn("a folder cannot be watched; it is read every now and then instead", "folder", folder, "every", pollTime, "err", err)
	}
	w.refused[folder] = err != nil
	return err == nil
}

// places returns the folders to watch for what happens in folders, each once
// however many names it has.
func places(folders []string) map[string]os.FileInfo {
	found := make(map[string]os.FileInfo)
	known := make(map[identity]bool)
	add := func(folder string) {
		info, err := os.Stat(folder)
		for err != nil && filepath.Dir(folder) != folder {
			folder = filepath.Dir(folder)
			info, err = os.Stat(folder)
		}
		if err != nil || len(found) >= foldersMax {
			return
		}
		if id, ok := identityOf(info); ok {
			id = identity{device: id.device, inode: id.inode}
			if known[id] {
				return
			}
			known[id] = true
		}
		found[folder] = info
	}
	for _, folder := range folders {
		folder = filepath.Clean(folder)
		add(folder)
		if info, err := os.Lstat(folder); err == nil && info.Mode()&os.ModeSymlink != 0 {
			add(filepath.Dir(folder)) // where the link may be turned to another folder
		}
	}
	return found
}

// run calls tick after each change that has settled, and at each poll, until
// ctx ends. tick must not block for long; it is never called twice at once.
func (w *watcher) run(ctx context.Context, tick func()) {
	poll := time.NewTicker(pollTime)
	defer poll.Stop()
	settled := time.NewTimer(settleTime)
	settled.Stop()
	defer settled.Stop()
	var events <-chan fsnotify.Event
	var errs <-chan error
	if w.events != nil {
		events, errs = w.events.Events, w.events.Errors
	}
	var first time.Time // of the events that wait to settle
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-events:
			if w.ignored != "" && filepath.Clean(event.Name) == w.ignored {
				continue
			}
			now := time.Now()
			if first.IsZero() {
				first = now
			}
			settled.Reset(min(settleTime, max(0, settleTimeMax-now.Sub(first))))
		case err := <-errs:
			w.log.Warn("watching the configuration: an event was lost; it is read again now", "err", err)
			tick()
		case <-settled.C:
			first = time.Time{}
			tick()
		case <-poll.C:
			tick()
		}
	}
}

func (w *watcher) close() error {
	if w.events == nil {
		return nil
	}
	return w.events.Close()
}
