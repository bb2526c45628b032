package store

import (
	"context"
	"errors"
	"fmt"
)

// shutNamed bounds how many blobs that do not open are named; the others are
// counted. More names than that nobody reads.
const shutNamed = 100

// Census says which key seals how many blobs.
type Census struct {
	Blobs   int            // all of them
	ByKey   map[string]int // by the id of the seal key, of the ring or not
	Damaged int            // blobs that name no key, or that are not whole
}

// Census reads every blob and counts it under the key that it names. It opens
// none.
func (k *Keyring) Census(ctx context.Context) (Census, error) {
	c := Census{ByKey: map[string]int{}}
	names, err := k.inner.List(ctx, "")
	if err != nil {
		return c, fmt.Errorf("list the blobs: %w", err)
	}
	for _, name := range names {
		blob, err := k.inner.Get(ctx, name)
		if errors.Is(err, ErrNotFound) {
			continue // deleted meanwhile
		}
		var header []byte
		if err == nil {
			header, err = sealedBy(name, blob)
		}
		switch {
		case err == nil:
			c.ByKey[fmt.Sprintf("%x", header[len(sealMagic)+1:])]++
		case errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign):
			c.Damaged++
		default:
			return c, err
		}
		c.Blobs++
	}
	return c, nil
}

// Resealed is how far the sealing anew has come.
type Resealed struct {
	Blobs  int      // that there are
	Looked int      // at so many of them
	Sealed int      // anew; the others were under the present key already
	Shut   int      // do not open, and stay as they are
	Names  []string // of the first of those
}

// Reseal seals every blob with the first key of the ring, one at a time, each
// atomically: whatever happens, every blob opens with one of the keys of the
// ring, with the value that it had. Reads and writes go on meanwhile. After nil
// no blob that opens is under another key.
//
// A blob that does not open with any key stays as it is and is counted. Any
// other fault, such as a full disk, ends the work; it can be begun again at any
// time. progress is called after each blob.
func (k *Keyring) Reseal(ctx context.Context, progress func(Resealed)) (Resealed, error) {
	var r Resealed
	names, err := k.inner.List(ctx, "")
	if err != nil {
		return r, fmt.Errorf("list the blobs: %w", err)
	}
	r.Blobs = len(names)
	for _, name := range names {
		anew, err := k.resealOne(ctx, name)
		switch {
		case errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign):
			r.Shut++
			if len(r.Names) < shutNamed {
				r.Names = append(r.Names, name)
			}
		case err != nil:
			return r, fmt.Errorf("seal %q anew: %w", name, err)
		case anew:
			r.Sealed++
		}
		r.Looked++
		progress(r)
	}
	return r, nil
}

// resealOne reports whether the blob was under another key. Nobody writes it
// meanwhile, so that neither a newer value nor a deletion is undone.
func (k *Keyring) resealOne(ctx context.Context, name string) (anew bool, err error) {
	lock := k.lockOf(name)
	lock.Lock()
	defer lock.Unlock()
	ring := *k.ring.Load()
	blob, err := k.inner.Get(ctx, name)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	header, err := sealedBy(name, blob)
	if err == nil && ringKey(ring, header) == ring[0] {
		return false, nil
	}
	value, err := openWith(ring, name, blob)
	if err != nil {
		return false, err
	}
	return true, k.inner.Put(ctx, name, ring[0].seal(name, value))
}
