package acme

import (
	"bytes"
	"context"
	"errors"
	"time"
)

const (
	// refreshesAtOnce bounds the questions for windows and staples that run at
	// a time. They are for no hurry: 100,000 certificates, each asked about
	// every six hours, are five in a second.
	refreshesAtOnce = 8

	// stapleFailed is when a responder that did not answer is asked again.
	stapleFailed = time.Hour

	// sweepAfter is how long after its end the certificate of a host that nobody
	// wants is removed from the store.
	sweepAfter = 7 * 24 * time.Hour
)

// listRefresh lists a host whose window or staple is due, or whose certificate
// nobody will ever want again.
func (m *Manager) listRefresh(e *entry, now time.Time) {
	if !e.refresh && e.held != nil && (m.refreshDue(e, now) || m.sweepDue(e, now)) {
		e.refresh = true
		m.work.toRefresh = append(m.work.toRefresh, e)
	}
}

// refreshDue reports whether to ask for window or staple. While an authority is
// down nobody asks it.
func (m *Manager) refreshDue(e *entry, now time.Time) bool {
	return e.wanted && m.settings != nil && !e.held.expired(now) &&
		(e.held.stapleDue(now) || e.held.windowDue(now) && m.reachable(e, now))
}

func (m *Manager) sweepDue(e *entry, now time.Time) bool {
	return m.named && !e.wanted && e.stop == nil && now.Sub(e.held.notAfter) > sweepAfter
}

// reachable reports whether the authority of the certificate held is one of
// the settings and works.
func (m *Manager) reachable(e *entry, now time.Time) bool {
	for _, a := range m.settings.authorities {
		if a.ID == e.held.caID {
			until, _ := m.outages.down(a, e.Host, now)
			return until.IsZero()
		}
	}
	return false
}

func (m *Manager) startRefreshes(ctx context.Context, now time.Time) {
	for m.work.refreshes < refreshesAtOnce && len(m.work.toRefresh) > 0 {
		e := m.work.toRefresh[0]
		m.work.toRefresh = m.work.toRefresh[1:]
		h := e.held
		do := m.refreshOne
		switch {
		case h != nil && m.refreshDue(e, now):
		case h != nil && m.sweepDue(e, now):
			do = m.sweepOne
		default: // it went or was replaced since it was listed
			e.refresh = false
			continue
		}
		m.work.refreshes++
		m.group.Go(func() { do(ctx, e, h) })
	}
}

// sweepOne removes a certificate that ended long ago.
func (m *Manager) sweepOne(ctx context.Context, e *entry, h *held) {
	gone := m.sweep(ctx, e, h)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.work.refreshes--
	e.refresh = false
	m.poke()
	if gone && e.held == h {
		e.held = nil
		m.tidy(e)
	}
}

// sweep reports whether a certificate is gone from the store. It keeps away from
// one whose host is wanted again, or is just being ordered for.
func (m *Manager) sweep(ctx context.Context, e *entry, h *held) bool {
	if !m.turns.try(e.Name) {
		return false
	}
	defer func() { _ = m.turns.unlock(e.Name) }()
	m.mu.Lock()
	unwanted := !e.wanted && e.held == h
	m.mu.Unlock()
	return unwanted && m.shelf.store.Delete(ctx, bundleKey(e.Name)) == nil
}

// refreshed is what a refresh found.
type refreshed struct {
	window  ariWindow
	staple  staple
	next    *held // with the new staple; nil: there is none
	revoked bool
}

func (m *Manager) refreshOne(ctx context.Context, e *entry, h *held) {
	got, err := m.askAgain(ctx, e.Name, h)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.work.refreshes--
	e.refresh = false
	m.poke()
	now := m.o.Now()
	if e.held != h || ctx.Err() != nil {
		return
	}
	if err != nil {
		m.o.Log.DebugContext(ctx, "window or staple not refreshed", "host", e.Name, "cause", err)
	}
	h.setWindow(got.window)
	h.stapleAgain = got.staple.Again
	m.saved.touchLazily(e)
	if got.next != nil {
		m.replace(e, got.next)
	}
	if got.revoked && !e.revoked {
		e.revoked = true
		m.o.Log.WarnContext(ctx, "the authority has revoked a certificate; another is ordered at once", "host", e.Name, "tenant", e.Tenant, "ca", h.ca)
	}
	m.consider(e, now)
}

// askAgain asks for what is due. What fails is as it was, and due again later.
func (m *Manager) askAgain(ctx context.Context, name string, h *held) (got refreshed, err error) {
	now := m.o.Now()
	got.window, got.staple.Again = h.window, h.stapleAgain
	b, err := m.shelf.get(ctx, name)
	if err != nil || b == nil {
		got.window.Again = now.Add(windowFailed)
		if !h.stapleAgain.IsZero() {
			got.staple.Again = now.Add(stapleFailed)
		}
		return got, err
	}
	b.Window = h.window
	if h.windowDue(now) {
		var wrong error
		got.window, wrong = m.askWindow(ctx, b, h, now)
		err = errors.Join(err, wrong)
	}
	if h.stapleDue(now) {
		err = errors.Join(err, m.askStaple(ctx, b, &got, now))
	}
	return got, err
}

// askWindow asks the authority when it wants the certificate renewed. One that
// was known stays where it does not answer (RFC 9773 section 4.3.3).
func (m *Manager) askWindow(ctx context.Context, b *bundle, h *held, now time.Time) (ariWindow, error) {
	w, err := m.engine.window(ctx, b)
	if err != nil {
		w = h.window
		w.Again = now.Add(max(windowFailed, asProblem(err).RetryAfter))
		return w, err
	}
	if !w.Again.After(now) {
		w.Again = now.Add(windowAgainMost) // an authority that has no windows
	}
	return w, nil
}

// askStaple asks the responder of a certificate and stores its answer.
func (m *Manager) askStaple(ctx context.Context, b *bundle, got *refreshed, now time.Time) error {
	s, err := m.engine.staple(ctx, b)
	if err != nil {
		got.revoked = errors.Is(err, errRevoked)
		got.staple.Again = now.Add(stapleFailed)
		return err
	}
	got.staple = s
	if len(s.Response) == 0 {
		return nil
	}
	b.Staple, b.Window = s, got.window
	if err := m.keepStaple(ctx, b); err != nil {
		got.staple.Again = now.Add(stapleFailed)
		return err
	}
	got.next, err = hold(b, m.o.Decoded)
	return err
}

// errReplaced says that a certificate gave way to another while its responder
// was asked.
var errReplaced = errors.New("the certificate is being replaced")

// keepStaple stores a certificate with its new staple, unless another takes its
// place just now: that one is never overwritten.
func (m *Manager) keepStaple(ctx context.Context, b *bundle) error {
	if !m.turns.try(b.Name) {
		return errReplaced
	}
	defer func() { _ = m.turns.unlock(b.Name) }()
	stored, err := m.shelf.get(ctx, b.Name)
	if err != nil {
		return err
	}
	if stored == nil || !bytes.Equal(stored.Chain[0], b.Chain[0]) {
		return errReplaced
	}
	return m.shelf.put(ctx, b)
}
