package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// ReadOrSetAside is Get for those who can make a new value where the old one
// is damaged: a damaged blob is set aside, named in the log, and reads as
// ErrNotFound. Every other error, ErrForeign among them, is returned as it is.
func ReadOrSetAside(ctx context.Context, s Store, log *slog.Logger, key string) ([]byte, error) {
	value, err := s.Get(ctx, key)
	if !errors.Is(err, ErrDamaged) {
		return value, err
	}
	if err := SetAsideDamaged(ctx, s, log, key, err); err != nil {
		return nil, err
	}
	return nil, notFound(key)
}

// SetAsideDamaged sets the blob of key aside and logs its name, its new name
// and the cause. It is for readers who find the damage only in the contents.
func SetAsideDamaged(ctx context.Context, s Store, log *slog.Logger, key string, cause error) error {
	name, err := s.SetAside(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; it could not be set aside: %w", cause, err)
	}
	log.WarnContext(ctx, "damaged state set aside", "key", key, "moved_to", name, "cause", cause)
	return nil
}
