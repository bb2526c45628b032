package acme

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"

	"gatehouse/internal/store"
)

// bundlePrefix is where certificates lie in the store, by the host's name.
const bundlePrefix = "acme/certs/"

// bundles keeps certificates in the store.
type bundles struct {
	store store.Store
	log   *slog.Logger
}

func bundleKey(name string) string { return bundlePrefix + name }

// get returns the certificate of name, or nil where there is none. A damaged
// one is set aside and counts as none.
func (b bundles) get(ctx context.Context, name string) (*bundle, error) {
	key := bundleKey(name)
	blob, err := store.ReadOrSetAside(ctx, b.store, b.log, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the certificate of %q: %w", name, err)
	}
	got, err := parseBundle(name, blob)
	if err == nil {
		return got, nil
	}
	return nil, store.SetAsideDamaged(ctx, b.store, b.log, key, err)
}

// put stores a certificate, whole or not at all.
func (b bundles) put(ctx context.Context, one *bundle) error {
	blob, err := one.marshal()
	if err != nil {
		return fmt.Errorf("write the certificate of %q: %w", one.Name, err)
	}
	if err := b.store.Put(ctx, bundleKey(one.Name), blob); err != nil {
		return fmt.Errorf("store the certificate of %q: %w", one.Name, err)
	}
	return nil
}

// all reads every certificate, on all processors, since each is unsealed. What
// is damaged is set aside, named in the log and left out; what another seal key
// wrote is named and left where it is.
func (b bundles) all(ctx context.Context) ([]*bundle, error) {
	keys, err := b.store.List(ctx, bundlePrefix)
	if err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	found := make([]*bundle, len(keys))
	var work sync.WaitGroup
	readers := min(runtime.GOMAXPROCS(0)*2, len(keys))
	for r := range readers {
		work.Go(func() {
			for i := r; i < len(keys); i += readers {
				name := strings.TrimPrefix(keys[i], bundlePrefix)
				one, err := b.get(ctx, name)
				if err != nil {
					b.log.ErrorContext(ctx, "a stored certificate cannot be read", "host", name, "cause", err)
				}
				found[i] = one
			}
		})
	}
	work.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	whole := found[:0]
	for _, one := range found {
		if one != nil {
			whole = append(whole, one)
		}
	}
	return whole, nil
}
