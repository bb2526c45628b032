package acme

import (
	"context"
	"time"
)

// probeKey is written and removed again to learn whether the store takes
// anything.
const probeKey = "acme/probe"

// probeBytes is what is written: more than a certificate with its chain and
// key, sealed.
const probeBytes = 32 << 10

// diskTrouble is a store that takes nothing: the disk is full, or it is gone.
// What cannot be stored is not ordered; what is held is served.
type diskTrouble struct {
	since   time.Time // zero: it works, as far as is known
	words   string
	suspect bool // something of our own failed: look whether it is the store
	probing bool
	probed  time.Time
}

// full reports whether nothing can be stored.
func (d *diskTrouble) full() bool { return !d.since.IsZero() }

// diskFailed notes that something could not be stored.
func (m *Manager) diskFailed(err error, now time.Time) {
	d := &m.work.disk
	if d.full() {
		return
	}
	d.since, d.words, d.probed = now, clean(err.Error()), now
	m.o.Log.Error("the state cannot be written; nothing is ordered until it can, what is held is served", "cause", err)
	m.o.Metrics.StoreWorks(false)
}

// diskSuspect lets the keeper look whether the store works.
func (m *Manager) diskSuspect() { m.work.disk.suspect = true }

// startProbe tries the store if it does not work, or may not.
func (m *Manager) startProbe(ctx context.Context, now time.Time) {
	d := &m.work.disk
	wait := d.full() && now.Sub(d.probed).Abs() < lookEvery
	if d.probing || !d.suspect && !d.full() || wait {
		return
	}
	d.probing, d.suspect, d.probed = true, false, now
	m.group.Go(func() { m.probe(ctx) })
}

func (m *Manager) probe(ctx context.Context) {
	err := m.o.Store.Put(ctx, probeKey, make([]byte, probeBytes))
	if err == nil {
		err = m.o.Store.Delete(ctx, probeKey)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	d := &m.work.disk
	d.probing = false
	switch {
	case ctx.Err() != nil:
	case err != nil:
		m.diskFailed(err, m.o.Now())
	case d.full():
		m.o.Log.Info("the state can be written again", "since", d.since)
		*d = diskTrouble{}
		m.o.Metrics.StoreWorks(true)
		signal(m.unsaved)
		m.poke()
	}
}
