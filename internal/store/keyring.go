package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// MaxKeys bounds the keys of a ring: the present one, a former one, and room
// for rotations that were interrupted. More would be a mistake, and each costs
// a comparison for every blob.
const MaxKeys = 16

// keyringStripes is how many locks keep the sealing anew of a blob apart from
// writes of the same blob: enough that two names seldom share one.
const keyringStripes = 64

// Keyring is a Store that keeps its values sealed in another one. Every key of
// the ring opens what it sealed; the first one seals. Make it with [Seal].
type Keyring struct {
	inner Store
	seed  maphash.Seed
	ring  atomic.Pointer[[]*sealKey]

	// A write holds the lock of its name for reading, so that writes do not
	// wait for each other; Reseal holds it for writing around one blob.
	stripes [keyringStripes]sync.RWMutex
}

// Seal returns a Store that encrypts and authenticates every value before it
// reaches inner: with the first of keys, each of which has KeyBytes bytes.
// Values that one of the others sealed are opened as well. Names stay readable.
// The slices are not kept.
//
// Get of a blob that does not open returns a *DamagedError, or a *ForeignError
// where the blob is whole but no key of the ring wrote it.
func Seal(inner Store, keys ...[]byte) (*Keyring, error) {
	ring, err := newRing(keys)
	if err != nil {
		return nil, err
	}
	k := &Keyring{inner: inner, seed: maphash.MakeSeed()}
	k.ring.Store(&ring)
	return k, nil
}

func newRing(keys [][]byte) ([]*sealKey, error) {
	if len(keys) == 0 || len(keys) > MaxKeys {
		return nil, fmt.Errorf("%d seal keys; expected 1 to %d", len(keys), MaxKeys)
	}
	ring := make([]*sealKey, 0, len(keys))
	for _, key := range keys {
		k, err := newSealKey(key)
		if err != nil {
			return nil, err
		}
		if ringKey(ring, k.header) == nil {
			ring = append(ring, k)
		}
	}
	return ring, nil
}

func ringKey(ring []*sealKey, header []byte) *sealKey {
	for _, k := range ring {
		if bytes.Equal(k.header, header) {
			return k
		}
	}
	return nil
}

// SetKeys puts other keys into the ring: from its return on every value is
// sealed with the first, and no write that another key sealed is under way.
// It waits for such writes. A key that still seals blobs must stay in the ring,
// or they are foreign. It is called by one goroutine at a time.
func (k *Keyring) SetKeys(keys ...[]byte) error {
	ring, err := newRing(keys)
	if err != nil {
		return err
	}
	k.ring.Store(&ring)
	for i := range k.stripes {
		k.stripes[i].Lock()
		//lint:ignore SA2001 to have been alone is all that is wanted
		k.stripes[i].Unlock()
	}
	return nil
}

// Get implements Store.
func (k *Keyring) Get(ctx context.Context, key string) ([]byte, error) {
	for {
		ring := k.ring.Load()
		blob, err := k.inner.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		value, err := openWith(*ring, key, blob)
		// The blob may have been sealed anew, or the ring changed, in between.
		if errors.Is(err, ErrForeign) && k.ring.Load() != ring {
			continue
		}
		return value, err
	}
}

// openWith opens a blob with whichever key of the ring sealed it.
func openWith(ring []*sealKey, key string, blob []byte) ([]byte, error) {
	header, err := sealedBy(key, blob)
	if err != nil {
		return nil, err
	}
	if k := ringKey(ring, header); k != nil {
		return k.open(key, blob)
	}
	id := fmt.Sprintf("%x", header[len(sealMagic)+1:])
	return nil, &ForeignError{
		Key: key, SealKey: id,
		Why: "it was sealed with another key (id " + id + "); start with the seal key that the state was written with",
	}
}

// Put implements Store.
func (k *Keyring) Put(ctx context.Context, key string, value []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if len(value) > MaxValueBytes {
		return tooLarge(key, len(value), MaxValueBytes)
	}
	lock := k.lockOf(key)
	lock.RLock()
	defer lock.RUnlock()
	return k.inner.Put(ctx, key, (*k.ring.Load())[0].seal(key, value))
}

// Delete implements Store.
func (k *Keyring) Delete(ctx context.Context, key string) error {
	lock := k.lockOf(key)
	lock.RLock()
	defer lock.RUnlock()
	return k.inner.Delete(ctx, key)
}

// List implements Store.
func (k *Keyring) List(ctx context.Context, prefix string) ([]string, error) {
	return k.inner.List(ctx, prefix)
}

// SetAside implements Store. The blob stays sealed.
func (k *Keyring) SetAside(ctx context.Context, key string) (string, error) {
	lock := k.lockOf(key)
	lock.RLock()
	defer lock.RUnlock()
	return k.inner.SetAside(ctx, key)
}

func (k *Keyring) lockOf(key string) *sync.RWMutex {
	return &k.stripes[maphash.String(k.seed, key)%keyringStripes]
}
