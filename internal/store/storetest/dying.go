package storetest

import (
	"context"
	"errors"
	"sync"

	"gatehouse/internal/store"
)

// ErrDead is what a [Dying] store says once it is dead.
var ErrDead = errors.New("the process was killed here")

// Dying is a store that stops at one of its calls, as it does for a process
// that is killed there: that call and all later ones return ErrDead, and
// nothing reaches the store below any more.
type Dying struct {
	store.Store
	Calls int  // the call at which it dies, counted from 1
	After bool // that call still has its effect

	mu   sync.Mutex
	made int
}

// Dead reports whether the call has come.
func (d *Dying) Dead() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.made >= d.Calls
}

// call runs one call, or not.
func (d *Dying) call(do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made++
	switch {
	case d.made < d.Calls:
		return do()
	case d.made == d.Calls && d.After:
		return errors.Join(ErrDead, do())
	}
	return ErrDead
}

// Get implements store.Store.
func (d *Dying) Get(ctx context.Context, key string) (value []byte, err error) {
	err = d.call(func() (err error) { value, err = d.Store.Get(ctx, key); return err })
	return value, err
}

// Put implements store.Store.
func (d *Dying) Put(ctx context.Context, key string, value []byte) error {
	return d.call(func() error { return d.Store.Put(ctx, key, value) })
}

// Delete implements store.Store.
func (d *Dying) Delete(ctx context.Context, key string) error {
	return d.call(func() error { return d.Store.Delete(ctx, key) })
}

// List implements store.Store.
func (d *Dying) List(ctx context.Context, prefix string) (keys []string, err error) {
	err = d.call(func() (err error) { keys, err = d.Store.List(ctx, prefix); return err })
	return keys, err
}

// SetAside implements store.Store.
func (d *Dying) SetAside(ctx context.Context, key string) (name string, err error) {
	err = d.call(func() (err error) { name, err = d.Store.SetAside(ctx, key); return err })
	return name, err
}
