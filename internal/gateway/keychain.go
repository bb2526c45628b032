package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"gatehouse/internal/store"
)

const (
	// sealKeyFile is the key that is made when `seal` names none. It lies beside
	// what it seals, which is why status says that keys are not protected.
	sealKeyFile = "seal.key"
	// nextKeyFile is what takes its place once all is sealed with it.
	nextKeyFile = "seal.key.next"

	proofKey = "seal/proof"
	// formerPrefix is where a rotation keeps the keys that it replaces, sealed
	// with the new one, until nothing is under them any more: whoever writes a
	// new key over the former one's file loses nothing by a crash.
	formerPrefix = "seal/former/"
)

// keyPlace is where a key of the chain is found at the next start.
type keyPlace uint8

const (
	keyNamed  keyPlace = iota // `seal` names it, or did when the process read it
	keyBeside                 // it lies beside the state
	keyFormer                 // an interrupted rotation kept it
)

// heldKey is one key of the chain.
type heldKey struct {
	key    []byte
	id     string
	place  keyPlace
	source string // for operators; it names no path
}

// held describes a key that was parsed or made, and so has the right length.
func held(key []byte, place keyPlace, source string) heldKey {
	id, err := store.KeyID(key)
	if err != nil {
		panic("gateway: " + err.Error())
	}
	return heldKey{key, id, place, source}
}

// keychain is the keys that the state is sealed with. The first seals.
type keychain struct {
	inner store.Store
	blobs *store.Keyring
	dir   string
	log   *slog.Logger

	chain    atomic.Pointer[[]heldKey]
	progress atomic.Pointer[store.Resealed] // of the rotation under way; else nil
}

// openKeychain reads every key that may have sealed something here: those that
// `seal` names, those beside the state, and those that an interrupted rotation
// kept. It ends the start if none of them is the key of this state.
func openKeychain(ctx context.Context, inner store.Store, dir string, places *sealPlaces, log *slog.Logger) (*keychain, error) {
	k := &keychain{inner: inner, dir: dir, log: log}
	chain, err := k.readKeys(ctx, places)
	if err != nil {
		return nil, err
	}
	if k.blobs, err = store.Seal(inner, rawKeys(chain)...); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	if chain, err = k.addFormer(ctx, chain); err != nil {
		return nil, err
	}
	k.chain.Store(&chain)
	if err := k.prove(ctx); err != nil {
		return nil, err
	}
	for i, key := range chain {
		log.InfoContext(ctx, "seal key in use", "key", key.id, "from", key.source, "seals", i == 0)
	}
	return k, nil
}

// readKeys reads the keys that lie open. A state that has none yet gets one.
func (k *keychain) readKeys(ctx context.Context, places *sealPlaces) ([]heldKey, error) {
	chain, err := places.read()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{nextKeyFile, sealKeyFile} {
		key, err := store.LoadKey(filepath.Join(k.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		chain = append(chain, held(key, keyBeside, name+" beside the state"))
	}
	if len(chain) > 0 {
		return chain, nil
	}
	if err := k.mayMakeKey(ctx); err != nil {
		return nil, err
	}
	path := filepath.Join(k.dir, sealKeyFile)
	key, _, err := store.LoadOrCreateKey(path)
	if err != nil {
		return nil, err
	}
	k.log.Warn("made a key to seal the state with; it lies beside the state: name one under `seal` to protect the keys", "file", path)
	return []heldKey{held(key, keyBeside, sealKeyFile+" beside the state")}, nil
}

// mayMakeKey refuses a new key where something is sealed already: it would open
// none of that, and lie where the key belongs that does.
func (k *keychain) mayMakeKey(ctx context.Context) error {
	names, err := k.inner.List(ctx, "")
	if err != nil || len(names) == 0 {
		return err
	}
	return fmt.Errorf("%s is missing, `seal` names no key, and what is kept (%d blobs) was sealed with one; put the former key back: restore %s from a backup, or name the key under `seal`; where it is lost, move the folder away", sealKeyFile, len(names), sealKeyFile)
}

// addFormer adds what an interrupted rotation kept.
func (k *keychain) addFormer(ctx context.Context, chain []heldKey) ([]heldKey, error) {
	names, err := k.blobs.List(ctx, formerPrefix)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		key, err := store.ReadOrSetAside(ctx, k.blobs, k.log, name)
		switch {
		case errors.Is(err, store.ErrForeign) || errors.Is(err, store.ErrNotFound) || err == nil && len(key) != store.KeyBytes:
			k.log.Warn("a key that an interrupted rotation kept cannot be read", "key", strings.TrimPrefix(name, formerPrefix), "err", err)
			continue
		case err != nil:
			return nil, err
		}
		chain = joinKeys(chain, []heldKey{held(key, keyFormer, "kept by a rotation that was interrupted")})
	}
	if len(names) > 0 {
		k.log.Warn("a rotation of the seal key was interrupted; everything opens: finish it with gatehouse keys rotate")
	}
	return chain, k.blobs.SetKeys(rawKeys(chain)...)
}

// prove opens a blob that was sealed when the state was made. A wrong key must
// end the start here: it would make everything else look absent.
func (k *keychain) prove(ctx context.Context) error {
	_, err := store.ReadOrSetAside(ctx, k.blobs, k.log, proofKey)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return k.blobs.Put(ctx, proofKey, []byte("gatehouse\n"))
	case errors.Is(err, store.ErrForeign):
		return fmt.Errorf("it was sealed with another key than the one that `seal` names now; put the former key back, or behind the new one (seal: [NEW, FORMER]), or move the folder away: %w", err)
	}
	return err
}

// protection is what status says about the keys.
func (k *keychain) protection() string {
	if slices.ContainsFunc(*k.chain.Load(), func(h heldKey) bool { return h.place == keyBeside }) {
		return "not protected"
	}
	return "sealed"
}

// joinKeys appends the keys of more that chain does not have.
func joinKeys(chain, more []heldKey) []heldKey {
	chain = slices.Clip(chain)
	for _, h := range more {
		if !hasKey(chain, h.id) {
			chain = append(chain, h)
		}
	}
	return chain
}

func hasKey(chain []heldKey, id string) bool {
	return slices.ContainsFunc(chain, func(h heldKey) bool { return h.id == id })
}

func rawKeys(chain []heldKey) [][]byte {
	keys := make([][]byte, len(chain))
	for i, h := range chain {
		keys[i] = h.key
	}
	return keys
}
