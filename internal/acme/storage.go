package acme

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// resource shows certmagic one certificate as the three files that it expects,
// and the store one blob: what it writes is held until the last of the three
// and then stored at once.
type resource struct {
	bundles bundles
	locks   *locks
	present *bundle // what the store holds; nil: nothing
	result  *bundle // what is being obtained; its chain and key come last
	staged  map[string][]byte
	failed  error // why the blob could not be stored; certmagic flattens it to text
}

// The endings of the three files.
const (
	certificateFile = ".crt"
	keyFile         = ".key"
	metadataFile    = ".json"
)

// Store takes one of the three files. The metadata come last and make the blob.
func (r *resource) Store(ctx context.Context, key string, value []byte) error {
	kind := path.Ext(key)
	if r.staged == nil {
		r.staged = map[string][]byte{}
	}
	r.staged[kind] = value
	if kind != metadataFile {
		return nil
	}
	r.failed = r.assemble(ctx)
	return r.failed
}

// assemble stores the blob.
func (r *resource) assemble(ctx context.Context) error {
	block, _ := pem.Decode(r.staged[keyFile])
	if block == nil {
		return fmt.Errorf("the certificate of %q came without its key", r.result.Name)
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("the key of the certificate of %q: %w", r.result.Name, err)
	}
	done := *r.result
	if done.Key, err = x509.MarshalPKCS8PrivateKey(key); err != nil {
		return fmt.Errorf("the key of the certificate of %q: %w", done.Name, err)
	}
	if done.Chain, err = decodeChain(r.staged[certificateFile]); err != nil {
		return err
	}
	if err := r.bundles.put(ctx, &done); err != nil {
		return err
	}
	r.present, r.staged = &done, nil
	return nil
}

// Load returns one of the three files of the certificate that is held.
func (r *resource) Load(_ context.Context, key string) ([]byte, error) {
	if r.present == nil {
		return nil, fs.ErrNotExist
	}
	switch path.Ext(key) {
	case certificateFile:
		return r.present.chainPEM(), nil
	case keyFile:
		return r.present.keyPEM(), nil
	case metadataFile:
		return json.Marshal(map[string]any{"sans": []string{r.present.Name}})
	}
	return nil, fs.ErrNotExist
}

// Delete takes back a file whose companions could not be stored. The
// certificate that is held is never deleted this way.
func (r *resource) Delete(_ context.Context, key string) error {
	delete(r.staged, path.Ext(key))
	return nil
}

// Exists reports whether a certificate is held.
func (r *resource) Exists(_ context.Context, key string) bool {
	switch path.Ext(key) {
	case certificateFile, keyFile, metadataFile:
		return r.present != nil
	}
	return false
}

// List returns the three files below a folder, if a certificate is held.
func (r *resource) List(_ context.Context, folder string, _ bool) ([]string, error) {
	if r.present == nil {
		return nil, fs.ErrNotExist
	}
	stem := path.Join(folder, path.Base(folder))
	return []string{stem + certificateFile, stem + keyFile, stem + metadataFile}, nil
}

// Lock takes the lock of an operation on the certificate.
func (r *resource) Lock(ctx context.Context, name string) error { return r.locks.lock(ctx, name) }

// Unlock lets go of it.
func (r *resource) Unlock(_ context.Context, name string) error { return r.locks.unlock(name) }

// String keeps keys that are being stored out of every log.
func (r *resource) String() string { return "certificate of " + strings.ToValidUTF8(r.result.Name, "") }
