package tlsconfig

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

const (
	// rotateEvery and keptKeys make a ticket decrypt for 18 to 24 hours, close
	// to what sessions are resumed for at most, with four keys to try.
	rotateEvery = 6 * time.Hour
	keptKeys    = 4

	// saveRetry is how soon keys that could not be saved are saved again.
	saveRetry = time.Minute

	// keyBytes and recordBytes are the sizes of a key and of its record.
	keyBytes    = 32
	recordBytes = 8 + keyBytes

	// keyFileMark begins the saved keys and names the layout of what follows.
	keyFileMark = "gatehouse ticket keys 1\n"
)

// ticketKey is one key and when it was made.
type ticketKey struct {
	created int64 // Unix seconds
	secret  [keyBytes]byte
}

// Rotator keeps the one master set of session ticket keys: it makes a new key
// every six hours, keeps four, and has them saved so that sessions survive a
// restart. The saved text must be kept secret.
type Rotator struct {
	// Load returns what was saved last, and nil if nothing was.
	Load func(ctx context.Context) ([]byte, error)
	// Save keeps the keys, which replace what was saved before.
	Save func(ctx context.Context, keys []byte) error
	// Apply takes the keys into use, the newest first: [Policies.SetTicketKeys].
	Apply func(keys [][32]byte)
	// Log hears of what went wrong and what happens now.
	Log *slog.Logger

	keys  []ticketKey // newest first
	saved bool
}

// Run loads the keys, or makes the first, and rotates them until ctx ends. Keys
// that cannot be loaded or saved cost sessions a full handshake, nothing else:
// Run goes on. It returns the cause of ctx's end.
func (r *Rotator) Run(ctx context.Context) error {
	r.Prepare(ctx)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(r.wait(time.Now())):
		}
		r.advance(ctx, time.Now())
	}
}

// Prepare loads the keys and takes them into use. Run does it too; calling it
// before the first connection is accepted lets that one resume already.
func (r *Rotator) Prepare(ctx context.Context) {
	if r.keys != nil {
		return
	}
	text, err := r.Load(ctx)
	if err == nil && text != nil {
		r.keys, err = decodeKeys(text)
	}
	if err != nil {
		r.Log.Warn("session ticket keys: starting with new ones; sessions from before need a full handshake", "cause", err)
	}
	r.saved = r.keys != nil
	r.advance(ctx, time.Now())
}

// wait returns how long nothing is to be done.
func (r *Rotator) wait(now time.Time) time.Duration {
	if !r.saved {
		return saveRetry
	}
	due := time.Unix(r.keys[0].created, 0).Add(rotateEvery)
	// A clock that was set back must not stop the rotation.
	return min(max(due.Sub(now), 0), rotateEvery)
}

// advance drops what is too old, makes a key if one is due, takes the keys into
// use and saves them.
func (r *Rotator) advance(ctx context.Context, now time.Time) {
	r.keys = slices.DeleteFunc(r.keys, func(k ticketKey) bool {
		age := now.Sub(time.Unix(k.created, 0))
		return age >= keptKeys*rotateEvery || age < -clockSlack
	})
	if len(r.keys) == 0 || now.Sub(time.Unix(r.keys[0].created, 0)) >= rotateEvery {
		r.keys = slices.Insert(r.keys, 0, newTicketKey(now))
		r.keys = r.keys[:min(len(r.keys), keptKeys)]
		r.saved = false
	}
	secrets := make([][32]byte, len(r.keys))
	for i, k := range r.keys {
		secrets[i] = k.secret
	}
	r.Apply(secrets)
	if r.saved {
		return
	}
	if err := r.Save(ctx, encodeKeys(r.keys)); err != nil {
		r.Log.Warn("session ticket keys: cannot be saved; a restart before the next try costs full handshakes", "cause", err)
		return
	}
	r.saved = true
}

func newTicketKey(now time.Time) ticketKey {
	k := ticketKey{created: now.Unix()}
	rand.Read(k.secret[:]) // never returns an error
	return k
}

func encodeKeys(keys []ticketKey) []byte {
	text := []byte(keyFileMark)
	for _, k := range keys {
		text = binary.BigEndian.AppendUint64(text, uint64(k.created))
		text = append(text, k.secret[:]...)
	}
	return text
}

func decodeKeys(text []byte) ([]ticketKey, error) {
	records, ok := bytes.CutPrefix(text, []byte(keyFileMark))
	if !ok || len(records)%recordBytes != 0 || len(records) > keptKeys*recordBytes {
		return nil, fmt.Errorf("saved keys of %d bytes are not in the expected form", len(text))
	}
	var keys []ticketKey
	for record := range slices.Chunk(records, recordBytes) {
		k := ticketKey{created: int64(binary.BigEndian.Uint64(record))}
		copy(k.secret[:], record[8:])
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b ticketKey) int { return cmp.Compare(b.created, a.created) })
	return keys, nil
}
