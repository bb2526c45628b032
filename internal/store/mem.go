package store

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxMemAside bounds the damaged blobs that a Mem keeps: enough for a test to
// look at, too few to matter.
const maxMemAside = 8

// Mem is a Store in memory. It outlives nothing; tests use it.
type Mem struct {
	mu    sync.RWMutex
	blobs map[string][]byte
	aside []memAside // oldest first, at most maxMemAside
	count int        // of all blobs ever set aside, so that names do not repeat
}

type memAside struct {
	name string
	blob []byte
}

// NewMem returns an empty store.
func NewMem() *Mem {
	return &Mem{blobs: make(map[string][]byte)}
}

// Get implements Store.
func (m *Mem) Get(ctx context.Context, key string) ([]byte, error) {
	if err := begin(ctx, key); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	blob, ok := m.blobs[key]
	if !ok {
		return nil, notFound(key)
	}
	return bytes.Clone(blob), nil
}

// Put implements Store.
func (m *Mem) Put(ctx context.Context, key string, value []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := CheckBlob(key, value); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blobs[key] = append([]byte{}, value...)
	return nil
}

// Delete implements Store.
func (m *Mem) Delete(ctx context.Context, key string) error {
	if err := begin(ctx, key); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.blobs, key)
	return nil
}

// List implements Store.
func (m *Mem) List(ctx context.Context, prefix string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := CheckPrefix(prefix); err != nil {
		return nil, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	keys := slices.Sorted(maps.Keys(m.blobs))
	return slices.DeleteFunc(keys, func(key string) bool { return !strings.HasPrefix(key, prefix) }), nil
}

// SetAside implements Store.
func (m *Mem) SetAside(ctx context.Context, key string) (string, error) {
	if err := begin(ctx, key); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	blob, ok := m.blobs[key]
	if !ok {
		return "", notFound(key)
	}
	delete(m.blobs, key)
	m.count++
	name := "damaged/" + strings.ReplaceAll(key, "/", "+") + "-" + strconv.Itoa(m.count)
	m.aside = append(m.aside, memAside{name, blob})
	if len(m.aside) > maxMemAside {
		m.aside = slices.Delete(m.aside, 0, 1)
	}
	return name, nil
}

// begin is what every method that takes a key does first.
func begin(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return CheckKey(key)
}
