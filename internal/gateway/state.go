package gateway

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"gatehouse/internal/conf"
	"gatehouse/internal/store"
	"gatehouse/internal/store/file"
)

const (
	socketFile    = "gatehouse.sock"
	ticketKeysKey = "tickets/keys"
)

// state is the folder of what outlives the process, opened and locked.
type state struct {
	files *file.Store
	disk  *watchedStore // files, with an eye on writes that fail
	blobs store.Store   // sealed
	keys  *keychain
}

// openState opens the folder and takes its lock.
func (g *gateway) openState(ctx context.Context, dir string, seal *sealPlaces) (*state, error) {
	files, err := file.Open(dir, g.log)
	if err != nil {
		return nil, err // it names the folder
	}
	s := &state{files: files, disk: &watchedStore{Store: files, metrics: g.metrics}}
	if g.options.below != nil {
		s.disk.Store = g.options.below(files)
	}
	if s.keys, err = openKeychain(ctx, s.disk, files.Dir(), seal, g.log); err != nil {
		return nil, errors.Join(fmt.Errorf("state %s: %w", files.Dir(), err), files.Close())
	}
	s.blobs = s.keys.blobs
	return s, nil
}

// sealPlaces is where `seal` says that the keys are. Without any the key is made
// beside the state.
type sealPlaces struct {
	secrets []conf.At[conf.Secret]
	base    string // the main file's folder
}

func (l *loader) sealPlaces(c *Config) *sealPlaces {
	return &sealPlaces{secrets: c.Seal.Items, base: l.base()}
}

// read reads the keys in the order in which they are named.
func (p *sealPlaces) read() ([]heldKey, error) {
	keys := make([]heldKey, 0, len(p.secrets))
	for i := range p.secrets {
		secret := &p.secrets[i].V
		text, err := readSecret(secret, p.base)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		key, err := store.ParseKey(text)
		if err != nil {
			return nil, fmt.Errorf("seal %s: %w", secret, err)
		}
		keys = append(keys, held(key, keyNamed, secretKind(secret)+" at "+secretPos(secret).String()))
	}
	return keys, nil
}

// secretKind says what kind of place holds a secret.
func secretKind(s *conf.Secret) string {
	switch {
	case s.Env.Set():
		return "environment variable"
	case s.Credential.Set():
		return "credential"
	}
	return "file"
}

func (s *state) loadTicketKeys(ctx context.Context) ([]byte, error) {
	keys, err := s.blobs.Get(ctx, ticketKeysKey)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return keys, err
}

func (s *state) saveTicketKeys(ctx context.Context, keys []byte) error {
	return s.blobs.Put(ctx, ticketKeysKey, keys)
}

// SocketIn returns where the command socket of a state folder is.
func SocketIn(dir string) string { return filepath.Join(dir, socketFile) }
