package gateway

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gatehouse/internal/store"
	"gatehouse/tenancy"
)

const (
	// leversKey is where what is ordered lies in the state folder.
	leversKey = "levers"
	// leversCopyKey is the same once more, written after it: damage to one file
	// lets nobody in who was shut out.
	leversCopyKey = "levers.copy"
	// leversVersion grows with what an older program would drop of the orders.
	leversVersion = 1
	// leversBytesMax bounds all that is ordered, below what the state takes as
	// one value.
	leversBytesMax = 15 << 20
)

// leversBlob is what is ordered as it is kept.
type leversBlob struct {
	Version int `json:"version"`
	tenancy.Levers
	// Lost says that orders from before are lost, until the next one: a restart
	// alone is no reason to forget it.
	Lost string `json:"lost,omitempty"`
}

// encodeLevers writes what is ordered, and what is lost. Reasons are not for
// HTML: <, > and & stay the one byte that they are.
func encodeLevers(l tenancy.Levers, lost string) ([]byte, error) {
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	err := to.Encode(leversBlob{leversVersion, l, lost})
	return text.Bytes(), err
}

// decodeLevers reads what encodeLevers wrote. Other text is damaged.
func decodeLevers(key string, text []byte) (blob leversBlob, err error) {
	if err := checkVersion(key, text, leversVersion); err != nil {
		return leversBlob{}, err
	}
	if err := json.Unmarshal(text, &blob); err != nil {
		return leversBlob{}, &store.DamagedError{Key: key, Why: err.Error()}
	}
	return blob, nil
}

// checkVersion refuses what a newer program wrote: the next write would drop
// what this one does not know. Text without a version is of the first.
func checkVersion(key string, text []byte, known int) error {
	var of struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &of); err == nil && of.Version > known {
		return fmt.Errorf("%q in the state folder has version %d, this program knows %d; start the newer gatehouse that wrote it, or restore the state from before", key, of.Version, known)
	}
	return nil
}

// load reads what an earlier process was ordered, from the copy where the book
// itself is damaged or gone. What is damaged is set aside and told; what cannot
// be read for another reason is an error: nobody is to be let in for it.
func (b *leverBook) load(ctx context.Context) error {
	book, err := b.read(ctx, leversKey)
	if err != nil {
		return err
	}
	if book.text != nil {
		// A copy that cannot be read is one to be written.
		text, _ := store.ReadOrSetAside(ctx, b.blobs, b.log, leversCopyKey)
		b.take(ctx, book, true, bytes.Equal(text, book.text))
		return nil
	}
	former, err := b.read(ctx, leversCopyKey)
	if err != nil {
		return err
	}
	return b.takeFormer(ctx, book, former)
}

// takeFormer goes on with the copy, or with a note of what is lost, in place of a
// book that is not there. A note of old that the copy has still holds.
func (b *leverBook) takeFormer(ctx context.Context, book, former keptLevers) (err error) {
	note := lostNote(book, former)
	if note == "" {
		return nil
	}
	former.Lost = cmp.Or(former.Lost, note)
	if former.text == nil {
		if former.text, err = encodeLevers(former.Levers, former.Lost); err != nil {
			return err
		}
	}
	b.take(ctx, former, false, false)
	return nil
}

// keptLevers is one of the two blobs, as it was found.
type keptLevers struct {
	leversBlob
	text  []byte // nil: there is none, or it was damaged
	aside string // where it lies now, if it was damaged
}

// read reads one of the two blobs and sets a damaged one aside.
func (b *leverBook) read(ctx context.Context, key string) (k keptLevers, err error) {
	k.text, err = b.blobs.Get(ctx, key)
	if err == nil {
		k.leversBlob, err = decodeLevers(key, k.text)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return keptLevers{}, nil
	case errors.Is(err, store.ErrDamaged):
		aside, cannot := b.blobs.SetAside(ctx, key)
		if cannot == nil {
			b.log.ErrorContext(ctx, "damaged state set aside", "key", key, "moved_to", aside, "cause", err)
			return keptLevers{aside: aside}, nil
		}
		err = fmt.Errorf("%w; it could not be set aside: %w", err, cannot)
	}
	if err != nil {
		err = fmt.Errorf("what operators have ordered (block, suspend, maintenance, drain) cannot be read: %w", err)
	}
	return k, err
}

// lostNote says what became of a book that is not there, in view of its copy; ""
// where there was neither.
func lostNote(book, former keptLevers) string {
	where := "is gone from the state folder"
	if book.aside != "" {
		where = "was damaged (set aside as " + book.aside + ")"
	}
	switch {
	case former.text != nil:
		return "what operators had ordered " + where + " and was read from its copy, which may lack the last order; compare status with what was ordered"
	case former.aside != "":
		return "what operators had ordered is lost: it " + where + ", and its copy was damaged (set aside as " + former.aside + "); whoever was blocked or suspended is let in; order again what must hold"
	case book.aside != "":
		return "what operators had ordered is lost: it " + where + " and has no copy; whoever was blocked or suspended is let in; order again what must hold"
	}
	return ""
}

// take goes on with what was read. What is not in both blobs is written to those
// that lack it.
func (b *leverBook) take(ctx context.Context, k keptLevers, inBook, inBoth bool) {
	if k.Lost != "" {
		b.log.ErrorContext(ctx, k.Lost)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held, b.text, b.lost = k.Levers, k.text, k.Lost
	b.given++
	if inBook {
		b.kept = b.given
	}
	if inBoth {
		b.copied = b.given
	}
	b.wake()
}

// notes says for status what a restart would lose, or the last one has lost.
func (b *leverBook) notes() (notes []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.lost != "" {
		notes = append(notes, b.lost)
	}
	if b.trouble != nil {
		notes = append(notes, fmt.Sprintf("what operators have ordered is in force and not kept since %s, and a restart would forget it: %v",
			b.troubled.Format(time.RFC3339), b.trouble))
	}
	return notes
}

// hasLost reports whether orders may be missing that an earlier process was
// given. The next order ends it: somebody has looked.
func (b *leverBook) hasLost() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lost != ""
}
