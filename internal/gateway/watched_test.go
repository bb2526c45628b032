package gateway

import (
	"errors"
	"strings"
	"testing"

	"gatehouse/internal/metrics"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

func TestWatchedStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store {
		return &watchedStore{Store: store.NewMem(), metrics: metrics.New("")}
	})
}

// TestStateThatTakesNoWrites: status says since when and why, until a write goes
// well again.
func TestStateThatTakesNoWrites(t *testing.T) {
	h := build(t, tree(t, "gatehouse.yaml", mainText))
	if notes := h.status().Notes; len(notes) > 0 {
		t.Errorf("notes of a fresh start: %q", notes)
	}
	h.disk.Fail(errors.New("no space left on device"))
	if err := h.state.saveTicketKeys(t.Context(), []byte("k")); err == nil {
		t.Error("the disk took a write")
	}
	if err := h.state.blobs.Put(t.Context(), "Not A Key", nil); err == nil {
		t.Error("the store took a name that is none")
	}
	notes := strings.Join(h.status().Notes, "\n")
	wantContains(t, notes, "the state folder takes no writes since ", "no space left on device")
	h.disk.Fail(nil)
	must(t, h.state.saveTicketKeys(t.Context(), []byte("k")))
	if notes := h.status().Notes; len(notes) > 0 {
		t.Errorf("notes once writes go well: %q", notes)
	}
}
