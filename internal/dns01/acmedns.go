package dns01

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// slotsMost is how many texts an acme-dns account holds: a third takes the
	// place of the first.
	slotsMost = 2

	// slotLife is when a text that nobody took back gives its place to others.
	slotLife = 10 * time.Minute

	// slotWaitMax is how long a text waits for a place. An order takes less.
	slotWaitMax = 2 * time.Minute

	// textBytes is what acme-dns takes: a SHA-256 in base64url.
	textBytes = 43
)

// acmeDNS writes the one name of an acme-dns account. The account is registered
// by the operator.
type acmeDNS struct {
	caller    jsonCaller
	subdomain string
	name      string // all that it writes, with its last dot
	slots     *slots
}

func (a *acmeDNS) add(ctx context.Context, r record) error {
	switch {
	case r.name != a.name:
		return fmt.Errorf("the account writes %s alone", a.name)
	case len(r.value) != textBytes:
		return fmt.Errorf("its text has %d bytes; acme-dns takes %d", len(r.value), textBytes)
	}
	if err := a.slots.take(ctx, r.value); err != nil {
		return err
	}
	answer, err := a.caller.post(ctx, map[string]string{"subdomain": a.subdomain, "txt": r.value})
	if err == nil {
		err = a.confirmed(answer, r.value)
	}
	if err != nil {
		a.slots.free(r.value)
	}
	return err
}

// confirmed: the server says what it wrote. Something else that answers with 200
// is no acme-dns.
func (*acmeDNS) confirmed(answer []byte, value string) error {
	var said struct {
		TXT string `json:"txt"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.TXT != value {
		return fmt.Errorf("the answer %q does not confirm the text; expected acme-dns", clip(string(answer)))
	}
	return nil
}

// remove gives the place free: acme-dns deletes nothing, the next text takes the
// place of the oldest.
func (a *acmeDNS) remove(_ context.Context, r record) error {
	a.slots.free(r.value)
	return nil
}

// slots keep more texts from being written at a time than an account holds.
type slots struct {
	places chan struct{} // one token for each free place
	mu     sync.Mutex
	held   map[string]*time.Timer
	life   time.Duration
	wait   time.Duration
}

func newSlots() *slots {
	s := &slots{places: make(chan struct{}, slotsMost), held: map[string]*time.Timer{}, life: slotLife, wait: slotWaitMax}
	for range slotsMost {
		s.places <- struct{}{}
	}
	return s
}

// take waits for a place. A text that has one keeps it.
func (s *slots) take(ctx context.Context, value string) error {
	s.mu.Lock()
	_, has := s.held[value]
	s.mu.Unlock()
	if has {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	select {
	case <-s.places:
	case <-ctx.Done():
		return fmt.Errorf("the account holds %d texts, and other orders use them: %w", slotsMost, ctx.Err())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, has := s.held[value]; has {
		s.places <- struct{}{}
		return nil
	}
	s.held[value] = time.AfterFunc(s.life, func() { s.free(value) })
	return nil
}

// free gives the place of a text back, once.
func (s *slots) free(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if timer, has := s.held[value]; has {
		timer.Stop()
		delete(s.held, value)
		s.places <- struct{}{}
	}
}

// updateURL is where acme-dns takes updates.
func updateURL(server string) string { return strings.TrimSuffix(server, "/") + "/update" }
