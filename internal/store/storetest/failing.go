package storetest

import (
	"context"
	"sync/atomic"

	"gatehouse/internal/store"
)

// Failing is a store whose writes fail while it is told so, as those of a full
// disk do. Reads go through.
type Failing struct {
	store.Store
	cause atomic.Pointer[error]
}

// Fail lets every Put, Delete and SetAside from now on return err; nil ends it.
func (f *Failing) Fail(err error) {
	if err == nil {
		f.cause.Store(nil)
		return
	}
	f.cause.Store(&err)
}

// Put implements store.Store.
func (f *Failing) Put(ctx context.Context, key string, value []byte) error {
	if cause := f.cause.Load(); cause != nil {
		return *cause
	}
	return f.Store.Put(ctx, key, value)
}

// Delete implements store.Store.
func (f *Failing) Delete(ctx context.Context, key string) error {
	if cause := f.cause.Load(); cause != nil {
		return *cause
	}
	return f.Store.Delete(ctx, key)
}

// SetAside implements store.Store.
func (f *Failing) SetAside(ctx context.Context, key string) (string, error) {
	if cause := f.cause.Load(); cause != nil {
		return "", *cause
	}
	return f.Store.SetAside(ctx, key)
}
