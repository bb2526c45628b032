package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gatehouse/tlsconfig"
)

// imported is what a certificate that an operator brought has for authority.
const imported = "imported"

// Renew puts a host ahead of the queue, whatever its certificate says. The
// budget holds: it returns as soon as the host is queued, and Host tells when
// its turn comes.
func (m *Manager) Renew(_ context.Context, host string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.wanted(host)
	if err != nil {
		return err
	}
	if m.settings == nil {
		return errors.New("the main file says nothing of acme; expected tls.certificates with acme and an e-mail")
	}
	m.ask(e)
	return nil
}

// ask lets a host be ordered for at once, whatever failed before. Its lock is
// held.
func (m *Manager) ask(e *entry) {
	e.asked = true
	now := m.o.Now()
	if t := e.trouble; t != nil {
		t.again = again{now, now}
	}
	if e.check != nil {
		e.check.again.next = now
	}
	m.saved.touch(e)
	signal(m.unsaved)
	m.queue.remove(e)
	m.rescan = true
	m.poke()
}

func (m *Manager) wanted(host string) (*entry, error) {
	e := m.hosts[host]
	if e == nil || !e.wanted {
		return nil, fmt.Errorf("%q is no host whose certificate comes by acme", host)
	}
	return e, nil
}

// Import takes a certificate that an operator brings into use for a host, as
// if it had been obtained: it is stored, served, and renewed in time. Its
// errors say what is wrong with it.
func (m *Manager) Import(ctx context.Context, host string, chainPEM, keyPEM []byte) error {
	now := m.o.Now()
	parsed, err := tlsconfig.ParsePair("the certificate", chainPEM, keyPEM, now)
	if err != nil {
		return err
	}
	if !parsed.Covers(host) {
		return fmt.Errorf("the certificate is for %s; expected %q among them", strings.Join(parsed.Names(), ", "), host)
	}
	pair := parsed.TLS()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return fmt.Errorf("the key of the certificate: %w", err)
	}
	m.mu.Lock()
	e, err := m.wanted(host)
	tenant := ""
	if err == nil {
		tenant = e.Tenant
	}
	m.mu.Unlock()
	if err != nil {
		return err
	}
	b := &bundle{Name: host, Tenant: tenant, CA: imported, Chain: pair.Certificate, Key: key, Obtained: now}
	return m.adopt(ctx, b)
}

// adopt stores a bundle and takes it into use.
func (m *Manager) adopt(ctx context.Context, b *bundle) error {
	next, err := hold(b, m.o.Decoded)
	if err != nil {
		return err
	}
	if err := m.putImported(ctx, b); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e, err := m.wanted(b.Name)
	if err != nil {
		return fmt.Errorf("%w any more; the certificate is stored", err)
	}
	m.abort(e)
	e.trouble, e.asked, e.revoked, e.served = nil, false, false, true
	m.replace(e, next)
	m.saved.touch(e)
	signal(m.unsaved)
	m.o.Log.InfoContext(ctx, "certificate imported", "host", e.Name, "tenant", e.Tenant, "serial", next.serial, "not_after", next.notAfter)
	return nil
}

// putImported stores a bundle in the place of whatever is there. An order that
// runs for the host ends first: it would store another behind it.
func (m *Manager) putImported(ctx context.Context, b *bundle) error {
	m.mu.Lock()
	if e := m.hosts[b.Name]; e != nil {
		m.abort(e)
	}
	m.mu.Unlock()
	if err := m.turns.lock(ctx, b.Name); err != nil {
		return err
	}
	defer func() { _ = m.turns.unlock(b.Name) }()
	return m.shelf.put(ctx, b)
}

// Export returns the certificate of a host and its private key, PEM.
func (m *Manager) Export(ctx context.Context, host string) (chainPEM, keyPEM []byte, err error) {
	b, err := m.stored(ctx, host)
	if err != nil {
		return nil, nil, err
	}
	return b.chainPEM(), b.keyPEM(), nil
}

// stored returns the certificate of a host from the store.
func (m *Manager) stored(ctx context.Context, host string) (*bundle, error) {
	b, err := m.shelf.get(ctx, host)
	if err == nil && b == nil {
		err = fmt.Errorf("%q has no certificate by acme", host)
	}
	return b, err
}

// Revoke tells the authority that the certificate of a host is to be trusted no
// more, for a reason of RFC 5280 section 5.3.1, and orders another with another
// key. The revoked one is served until that is there.
func (m *Manager) Revoke(ctx context.Context, host string, reason int) error {
	b, err := m.stored(ctx, host)
	if err != nil {
		return err
	}
	if m.current() == nil {
		return errors.New("the main file says nothing of acme; the authority cannot be asked")
	}
	leaf, err := b.leaf()
	if err != nil {
		return err
	}
	if err := m.engine.revoke(ctx, b, reason); err != nil {
		return err
	}
	m.o.Log.WarnContext(ctx, "certificate revoked", "host", b.Name, "tenant", b.Tenant, "ca", b.CA, "reason", reason)
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.hosts[host]; e != nil && e.held != nil && e.held.serial == serialOf(leaf) { // else it was replaced meanwhile
		e.revoked = true
		m.ask(e)
	}
	return nil
}

// RollAccountKey replaces the key of the account with an authority (RFC 8555
// section 7.3.5).
func (m *Manager) RollAccountKey(ctx context.Context, ca string) error {
	s := m.current()
	if s == nil {
		return errors.New("the main file says nothing of acme")
	}
	at := slices.IndexFunc(s.authorities, func(a *authority) bool { return a.Name == ca || a.ID == ca })
	if at < 0 {
		return fmt.Errorf("%q is no authority of the main file", ca)
	}
	return m.engine.rollKey(ctx, s.authorities[at])
}
