package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"gatehouse/internal/conf"
	"gatehouse/internal/store"
	"gatehouse/internal/store/file"
)

const (
	// sealKeyFile is the key that is made when `seal` names none. It lies beside
	// what it seals, which is why status says that keys are not protected.
	sealKeyFile = "seal.key"
	socketFile  = "gatehouse.sock"

	ticketKeysKey = "tickets/keys"
	proofKey      = "seal/proof"
)

// state is the folder of what outlives the process, opened and locked.
type state struct {
	files      *file.Store
	blobs      store.Store // sealed
	protection string      // what status says about the keys
}

// openState opens the folder and takes its lock.
func openState(ctx context.Context, dir string, seal *conf.Secret, base string, log *slog.Logger) (*state, error) {
	files, err := file.Open(dir, log)
	if err != nil {
		return nil, err // it names the folder
	}
	s := &state{files: files, protection: "sealed"}
	key, err := s.sealKey(seal, base, log)
	if err == nil {
		s.blobs, err = store.Seal(files, key)
	}
	if err == nil {
		err = s.proveKey(ctx, log)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("state %s: %w", files.Dir(), err), files.Close())
	}
	return s, nil
}

// proveKey opens a blob that was sealed when the state was made. A wrong key
// must end the start here: it would make everything else look absent.
func (s *state) proveKey(ctx context.Context, log *slog.Logger) error {
	_, err := store.ReadOrSetAside(ctx, s.blobs, log, proofKey)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s.blobs.Put(ctx, proofKey, []byte("gatehouse\n"))
	case errors.Is(err, store.ErrForeign):
		return fmt.Errorf("it was sealed with another key than the one that `seal` names now; put the former key back, or move the folder away: %w", err)
	}
	return err
}

func (s *state) sealKey(seal *conf.Secret, base string, log *slog.Logger) ([]byte, error) {
	if seal == nil {
		s.protection = "not protected"
		path := filepath.Join(s.files.Dir(), sealKeyFile)
		key, created, err := store.LoadOrCreateKey(path)
		if created {
			log.Warn("made a key to seal the state with; it lies beside the state: name one under `seal` to protect the keys", "file", path)
		}
		return key, err
	}
	text, err := readSecret(seal, base)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	key, err := store.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", seal, err)
	}
	return key, nil
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

// socketPath returns where the command socket of a state folder is.
func socketPath(dir string) string { return filepath.Join(dir, socketFile) }
