package acme

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/store"
)

const (
	// orderPrefix is where orders in progress lie in the store: below it the
	// authority's ID and the host's name.
	orderPrefix = "acme/orders/"

	// orderAgeMax is how long an unfinished order is taken up again. Let's
	// Encrypt lets one live for a week, but proofs of control age faster.
	orderAgeMax = 24 * time.Hour
)

// pendingOrder is an order in progress. It is stored with its key before the
// authority hears of it, so that a killed process takes it up again and no
// certificate is ever issued to a key that is lost.
type pendingOrder struct {
	Name       string    `json:"name"`
	Tenant     string    `json:"tenant"`
	Profile    string    `json:"profile"`
	MustStaple bool      `json:"must_staple"`
	Key        []byte    `json:"key"` // PKCS#8
	Asked      time.Time `json:"asked"`
	Account    string    `json:"account,omitempty"` // URL; who placed it
	URL        string    `json:"url,omitempty"`     // empty until the authority has answered

	key      string // of the store
	fresh    bool   // made by this process, just now
	doubtful bool   // the authority may have it although its answer was lost
}

func orderKey(a *authority, name string) string { return orderPrefix + a.ID + "/" + name }

// signer parses the key of the certificate to be.
func (p *pendingOrder) signer() (crypto.Signer, error) { return parseKey(p.Key) }

// unfinished names the hosts whose orders another process left, by authority:
// to resume them spends nothing. Orders whose certificate is stored are only
// left over, and are removed.
func (e *engine) unfinished(ctx context.Context) (map[string][]string, error) {
	keys, err := e.store.List(ctx, orderPrefix)
	if err != nil {
		return nil, fmt.Errorf("list orders in progress: %w", err)
	}
	found := map[string][]string{}
	for _, key := range keys {
		id, name, ok := strings.Cut(strings.TrimPrefix(key, orderPrefix), "/")
		if !ok {
			continue
		}
		order, err := e.pendingAt(ctx, key)
		if err != nil {
			return nil, err
		}
		held, err := e.bundles.get(ctx, name)
		if err != nil {
			return nil, err
		}
		switch {
		case order == nil: // damaged, and set aside
		case order.ledTo(held):
			e.forget(ctx, order)
		default:
			found[id] = append(found[id], name)
		}
	}
	return found, nil
}

// ledTo reports whether the certificate is the one of the order: the process
// ended after it was stored and before the order was removed.
func (p *pendingOrder) ledTo(held *bundle) bool {
	return held != nil && bytes.Equal(held.Key, p.Key)
}

// takeUp returns the order of a request: the one in the store if it still
// serves, else a new one, stored with a new key. One that led to the certificate
// that is held is returned too, if that is not the one to be replaced.
func (e *engine) takeUp(ctx context.Context, req request, mustStaple bool, held *bundle) (*pendingOrder, error) {
	key := orderKey(req.CA, req.Name)
	want := pendingOrder{Name: req.Name, Tenant: req.Tenant, Profile: req.CA.profile(req.Host), MustStaple: mustStaple}
	old, err := e.pendingAt(ctx, key)
	if err != nil {
		return nil, err
	}
	if old != nil && old.serves(want, e.now()) && !(old.ledTo(held) && held.is(req.Replaces)) {
		return old, nil
	}
	if want.Key, err = newKey(); err != nil {
		return nil, err
	}
	want.Asked, want.key, want.fresh = e.now(), key, true
	return &want, e.keep(ctx, &want)
}

// serves reports whether an order that was found is one for what is wanted.
func (p *pendingOrder) serves(want pendingOrder, now time.Time) bool {
	age := now.Sub(p.Asked)
	return p.Name == want.Name && p.Tenant == want.Tenant && p.Profile == want.Profile &&
		p.MustStaple == want.MustStaple && age < orderAgeMax && age > -orderAgeMax
}

// unknown reports whether the authority certainly does not have the order,
// because the attempt that made it failed before.
func (p *pendingOrder) unknown(why *problem) bool {
	return why.unplaced() && p.fresh && !p.doubtful && p.URL == ""
}

func (e *engine) pendingAt(ctx context.Context, key string) (*pendingOrder, error) {
	blob, err := store.ReadOrSetAside(ctx, e.store, e.log, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the order in progress: %w", err)
	}
	p := new(pendingOrder)
	err = json.Unmarshal(blob, p)
	if err == nil {
		_, err = p.signer()
	}
	if err != nil {
		return nil, store.SetAsideDamaged(ctx, e.store, e.log, key, err)
	}
	p.key = key
	return p, nil
}

// keep stores the order as it is now.
func (e *engine) keep(ctx context.Context, p *pendingOrder) error {
	blob, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write the order in progress: %w", err)
	}
	if err := e.store.Put(ctx, p.key, blob); err != nil {
		return fmt.Errorf("store the order in progress: %w", err)
	}
	return nil
}

// forget removes an order that is done or dead. Where that fails the order is
// found again, and seen to be done or dead then.
func (e *engine) forget(ctx context.Context, p *pendingOrder) {
	// What is over is over, also when the caller has no time left.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTimeMax)
	defer cancel()
	if err := e.store.Delete(ctx, p.key); err != nil {
		e.log.WarnContext(ctx, "an order that is over stays in the store", "host", p.Name, "cause", err)
	}
}

// forgetTimeMax bounds the removal of an order that is over.
const forgetTimeMax = 10 * time.Second
