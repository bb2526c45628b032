package gateway

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"gatehouse/internal/store"
)

// rotation is what a rotation of the seal key did.
type rotation struct {
	key    heldKey // that everything is under now
	done   store.Resealed
	unused []heldKey // that `seal` names and that open nothing any more
}

// rotate seals everything with the key that `seal` names first now or, where it
// names none, with a new one beside the state. Nothing is lost wherever it is
// interrupted: a start finds every key that a blob is under, and another
// rotate goes on. It is called by one goroutine at a time.
func (k *keychain) rotate(ctx context.Context, places *sealPlaces) (rotation, error) {
	k.progress.Store(new(store.Resealed))
	defer k.progress.Store(nil)
	wanted, err := k.wanted(places)
	if err != nil {
		return rotation{}, err
	}
	chain := joinKeys(wanted, *k.chain.Load())
	// From here on a start reads the new key first. Before anything is sealed
	// with it, the keys that no start would find any more are put under it.
	if err := k.keepFormer(ctx, chain, wanted); err != nil {
		return rotation{}, err
	}
	if err := k.blobs.SetKeys(rawKeys(chain)...); err != nil {
		return rotation{}, fmt.Errorf("seal: %w", err)
	}
	k.chain.Store(&chain)
	r := rotation{key: wanted[0], unused: wanted[1:]}
	r.done, err = k.blobs.Reseal(ctx, func(now store.Resealed) { k.progress.Store(&now) })
	if err == nil {
		err = k.retire(ctx, places, wanted)
	}
	return r, err
}

// wanted returns the keys that the chain has once all is done; the first seals.
func (k *keychain) wanted(places *sealPlaces) ([]heldKey, error) {
	if len(places.secrets) > 0 {
		return places.read()
	}
	// One that an interrupted rotation made is gone on with.
	key, _, err := store.LoadOrCreateKey(filepath.Join(k.dir, nextKeyFile))
	if err != nil {
		return nil, err
	}
	return []heldKey{held(key, keyBeside, sealKeyFile+" beside the state")}, nil
}

// keepFormer stores, under the first key of chain, those that lie nowhere else.
func (k *keychain) keepFormer(ctx context.Context, chain, wanted []heldKey) error {
	first, err := store.Seal(k.inner, chain[0].key)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	for _, h := range chain {
		if h.place == keyBeside || hasKey(wanted, h.id) {
			continue
		}
		if err := first.Put(ctx, formerPrefix+h.id, h.key); err != nil {
			return fmt.Errorf("keep the former key until the rotation is done: %w", err)
		}
	}
	return nil
}

// retire lets go of every key but those wanted; no blob that opens is under one
// of the others. A key file goes before what a rotation kept: whatever a start
// finds of the two does no harm.
func (k *keychain) retire(ctx context.Context, places *sealPlaces, wanted []heldKey) error {
	present, next := filepath.Join(k.dir, sealKeyFile), filepath.Join(k.dir, nextKeyFile)
	var err error
	if len(places.secrets) > 0 {
		err = errors.Join(store.RemoveKey(next), store.RemoveKey(present))
	} else {
		err = store.MoveKey(next, present)
	}
	if err != nil {
		return fmt.Errorf("let go of the former key: %w", err)
	}
	names, err := k.blobs.List(ctx, formerPrefix)
	for _, name := range names {
		err = errors.Join(err, k.blobs.Delete(ctx, name))
	}
	if err != nil {
		return fmt.Errorf("let go of the former key: %w", err)
	}
	k.chain.Store(&wanted)
	return k.blobs.SetKeys(rawKeys(wanted)...)
}
