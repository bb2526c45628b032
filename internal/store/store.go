package store

import (
	"context"
	"errors"
	"fmt"
)

const (
	// MaxKeyBytes bounds a key. A full DNS name of 253 bytes below a few
	// folders fits twice.
	MaxKeyBytes = 512

	// MaxSegmentBytes bounds one segment of a key: a full DNS name, and with
	// the one byte that store/file appends still below NAME_MAX (255) of the
	// usual file systems.
	MaxSegmentBytes = 253

	// MaxValueBytes bounds a value, so that a file that somebody else grew
	// cannot take the memory of the gateway. The largest honest values are
	// tenants' files, which are far below it.
	MaxValueBytes = 16 << 20

	// MaxBlobBytes is what a driver itself accepts: a value of MaxValueBytes
	// and room for what a decorator such as Seal adds to it.
	MaxBlobBytes = MaxValueBytes + 1<<10
)

// Store holds named blobs that outlive a process.
//
// A key is a path as CheckKey describes it. "a" and "a/b" are two keys that
// may both exist. A value is any bytes up to MaxValueBytes, also none.
//
// Every method checks its key and returns an error matching ErrKey for one
// that CheckKey refuses; a context that is done makes it return the context's
// error without doing anything. Slices belong to the caller before and after:
// a Store keeps no slice that it was given and hands out none that it keeps.
// All methods may be called concurrently, and readers see only whole values.
type Store interface {
	// Get returns the value of key. An absent key is ErrNotFound; a blob
	// that exists and is not what Put wrote is ErrDamaged; one that is whole
	// and that this key or version cannot open is ErrForeign.
	Get(ctx context.Context, key string) ([]byte, error)

	// Put sets the value of key. It is atomic: whatever happens, a later Get
	// yields the former value whole or the new one whole. It is durable:
	// after nil the new value survives kill -9 and power loss. After an
	// error the former value stays, unless the error itself came from making
	// the finished change durable; then it may be either. More than
	// MaxValueBytes is ErrTooLarge.
	Put(ctx context.Context, key string, value []byte) error

	// Delete removes key, durably. An absent key is nil.
	Delete(ctx context.Context, key string) error

	// List returns, sorted bytewise, the keys that begin with prefix: as a
	// string, so "a" yields "a", "a/b" and "ab". The prefix is empty or, as
	// CheckPrefix says, the beginning of a key.
	List(ctx context.Context, prefix string) ([]string, error)

	// SetAside takes the blob of key, whatever it holds, out of the way
	// without destroying it, and returns a name under which an operator finds
	// it. The key is absent afterwards. A driver keeps a bounded number of
	// such blobs and drops the oldest. An absent key is ErrNotFound.
	SetAside(ctx context.Context, key string) (name string, err error)
}

var (
	// ErrNotFound is matched by errors of Get and SetAside for absent keys.
	ErrNotFound = errors.New("not in the store")

	// ErrDamaged is matched by *DamagedError.
	ErrDamaged = errors.New("damaged")

	// ErrForeign is matched by *ForeignError.
	ErrForeign = errors.New("sealed by somebody else")

	// ErrKey is matched by *KeyError.
	ErrKey = errors.New("not a key of the store")

	// ErrTooLarge is matched by errors about values above the bound.
	ErrTooLarge = errors.New("larger than the store accepts")

	// ErrClosed is matched by errors of a store that was closed.
	ErrClosed = errors.New("the store is closed")
)

// DamagedError says that the blob of Key is not what was put there. It
// matches ErrDamaged. Setting the blob aside and making a new one is the way on.
type DamagedError struct {
	Key string
	Why string // in plain words, for the operator
}

func (e *DamagedError) Error() string { return fmt.Sprintf("%q is damaged: %s", e.Key, e.Why) }

// Is makes errors.Is(err, ErrDamaged) hold.
func (e *DamagedError) Is(target error) bool { return target == ErrDamaged }

// ForeignError says that the blob of Key is whole and cannot be opened with
// what this process has: another key or a newer version sealed it. It matches
// ErrForeign and not ErrDamaged: setting the blob aside would throw away state
// that the right key opens.
type ForeignError struct {
	Key     string
	Why     string // in plain words, for the operator
	SealKey string // the id of the seal key that the blob names; empty where it cannot be told
}

func (e *ForeignError) Error() string { return fmt.Sprintf("%q cannot be opened: %s", e.Key, e.Why) }

// Is makes errors.Is(err, ErrForeign) hold.
func (e *ForeignError) Is(target error) bool { return target == ErrForeign }

// notFound is the error of every driver for an absent key.
func notFound(key string) error { return fmt.Errorf("%q: %w", key, ErrNotFound) }

// CheckBlob refuses what a driver must not be asked to keep; every driver
// calls it in Put, so that all have one bound.
func CheckBlob(key string, blob []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if len(blob) > MaxBlobBytes {
		return tooLarge(key, len(blob), MaxBlobBytes)
	}
	return nil
}

func tooLarge(key string, n, limit int) error {
	return fmt.Errorf("%q: %d bytes are %w (%d)", key, n, ErrTooLarge, limit)
}
