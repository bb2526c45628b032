package gateway

import (
	"context"
	"fmt"
	"log/slog"
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

// watcher ticks when files below the watched folders may have changed. It
// watches folders, never files: a watch on a file dies with the first rename
// that replaces it, which is how editors and Kubernetes write.
type watcher struct {
	log     *slog.Logger
	events  *fsnotify.Watcher
	watched map[string]bool
}

func newWatcher(log *slog.Logger) (*watcher, error) {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch the configuration: %w", err)
	}
	return &watcher{log: log, events: events, watched: map[string]bool{}}, nil
}

// setFolders watches just these folders. A folder that cannot be watched is
// left to the poll.
func (w *watcher) setFolders(folders []string) {
	wanted := make(map[string]bool, len(folders))
	for _, folder := range folders {
		if len(wanted) < foldersMax {
			wanted[filepath.Clean(folder)] = true
		}
	}
	for folder := range w.watched {
		if !wanted[folder] {
			_ = w.events.Remove(folder) // it may be gone, and its watch with it
			delete(w.watched, folder)
		}
	}
	for folder := range wanted {
		// Adding again is free, and renews the watch of a folder that was replaced.
		if err := w.events.Add(folder); err != nil {
			w.log.Debug("folder is polled, not watched", "folder", folder, "err", err)
			continue
		}
		w.watched[folder] = true
	}
}

// run calls tick after each change that has settled, and at each poll, until
// ctx ends. tick must not block for long; it is never called twice at once.
func (w *watcher) run(ctx context.Context, tick func()) {
	poll := time.NewTicker(pollTime)
	defer poll.Stop()
	settled := time.NewTimer(settleTime)
	settled.Stop()
	var first time.Time // of the events that wait to settle
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.events.Events:
			now := time.Now()
			if first.IsZero() {
				first = now
			}
			settled.Reset(min(settleTime, max(0, settleTimeMax-now.Sub(first))))
		case err := <-w.events.Errors:
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

func (w *watcher) close() error { return w.events.Close() }
