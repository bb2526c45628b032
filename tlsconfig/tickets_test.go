package tlsconfig

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is where these tests keep ticket keys.
type shelf struct {
	text    []byte
	loadErr error
	saveErr error
	saves   int
	log     bytes.Buffer

	mu      sync.Mutex
	applied [][][32]byte
}

func (s *shelf) rotator() *Rotator {
	return &Rotator{
		Load: func(context.Context) ([]byte, error) { return s.text, s.loadErr },
		Save: func(_ context.Context, text []byte) error {
			s.saves++
			if s.saveErr == nil {
				s.text = slices.Clone(text)
			}
			return s.saveErr
		},
		Apply: func(keys [][32]byte) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.applied = append(s.applied, keys)
		},
		Log: slog.New(slog.NewTextHandler(&s.log, nil)),
	}
}

// run rotates for a while.
func (s *shelf) run(d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	s.rotator().Run(ctx)
}

func (s *shelf) last() [][32]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.applied[len(s.applied)-1]
}

func TestRotator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.rotator().Run(ctx) }()
		var before [][32]byte
		for day := range 8 { // a quarter of a day each
			synctest.Wait()
			keys := s.last()
			if want := min(day+1, keptKeys); len(keys) != want {
				t.Fatalf("after %d rotations: %d keys, want %d", day, len(keys), want)
			}
			if n := min(len(before), keptKeys-1); !slices.Equal(keys[1:], before[:n]) {
				t.Errorf("after %d rotations the former keys do not follow the new one", day)
			}
			if slices.Contains(before, keys[0]) {
				t.Errorf("after %d rotations the first key is an old one", day)
			}
			before = keys
			time.Sleep(rotateEvery)
		}
		cause := errors.New("over")
		cancel(cause)
		if err := <-ended; !errors.Is(err, cause) {
			t.Errorf("Run = %v, want %v", err, cause)
		}
	})
}

func TestRotatorGoesOnAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		s.run(4 * time.Hour)
		first := s.last()
		s.run(time.Hour)
		if !slices.Equal(s.last(), first) || s.saves != 1 {
			t.Errorf("a restart changed the keys, or saved them: %d saves", s.saves)
		}
		s.run(90 * time.Minute) // six and a half hours after the first key
		if got := s.last(); len(got) != 2 || got[1] != first[0] {
			t.Errorf("the rotation did not go on where it was: %d keys", len(got))
		}
		time.Sleep(keptKeys * rotateEvery)
		s.run(time.Minute)
		if got := s.last(); len(got) != 1 || slices.Contains(first, got[0]) {
			t.Errorf("keys of a day ago are in use: %d keys", len(got))
		}
	})
}

func TestRotatorAfterClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{text: encodeKeys([]ticketKey{{created: time.Now().Add(time.Hour).Unix(), secret: [32]byte{1}}})}
		s.run(time.Minute)
		if got := s.last(); len(got) != 1 || got[0] == [32]byte{1} {
			t.Errorf("a key of the future is in use: %v", got)
		}
	})
}

func TestRotatorWithoutStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{loadErr: errors.New("no disk"), saveErr: errors.New("disk full")}
		s.run(saveRetry + time.Second)
		if s.saves != 2 || len(s.last()) != 1 || !slices.Equal(s.applied[0], s.last()) {
			t.Errorf("%d saves in a minute, %d keys; want two and one that stays", s.saves, len(s.last()))
		}
		for _, words := range []string{"no disk", "disk full"} {
			if !strings.Contains(s.log.String(), words) {
				t.Errorf("the log does not say %q:\n%s", words, s.log.String())
			}
		}
		s.saveErr = nil
		s.run(10 * saveRetry)
		if s.saves != 3 {
			t.Errorf("%d saves, want one more that is the last", s.saves)
		}
	})
}

func TestRotatorSetsDamagedKeysAside(t *testing.T) {
	good := encodeKeys([]ticketKey{{created: 1, secret: [32]byte{1}}})
	for _, text := range [][]byte{{}, []byte("rubbish"), good[:len(good)-1], append(slices.Clone(good), 0), encodeKeys(make([]ticketKey, keptKeys+1))} {
		synctest.Test(t, func(t *testing.T) {
			s := &shelf{text: text}
			s.run(time.Minute)
			if len(s.last()) != 1 || s.saves != 1 || !strings.Contains(s.log.String(), "starting with new ones") {
				t.Errorf("%q: %d keys, %d saves, log %q", text, len(s.last()), s.saves, s.log.String())
			}
		})
	}
}

func TestPrepareAppliesBeforeRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		r := s.rotator()
		r.Prepare(t.Context())
		if len(s.applied) != 1 {
			t.Fatal("Prepare did not take keys into use")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r.Run(ctx)
		if len(s.applied) != 1 {
			t.Error("Run prepared again")
		}
	})
}

func TestKeysRoundTrip(t *testing.T) {
	keys := []ticketKey{{2_000_000_000, [32]byte{3, 4}}, {1_900_000_000, [32]byte{1, 2}}}
	got, err := decodeKeys(encodeKeys(keys))
	if err != nil || !slices.Equal(got, keys) {
		t.Errorf("decodeKeys = %v, %v, want %v", got, err, keys)
	}
}
