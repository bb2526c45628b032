package password

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func credentials(name, password string) Credentials {
	return Credentials{[]byte(name), []byte(password)}
}

// pass lets time pass.
func pass(d time.Duration) { <-time.After(d) }

// learn has m remember the credentials.
func learn(t *testing.T, m *Memory, d Digest) {
	t.Helper()
	check, state := m.Begin(d, time.Now())
	if state != Unknown {
		t.Fatalf("the state is %d before anything was checked", state)
	}
	m.End(d, check, Right, time.Now())
}

func TestMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, h := NewMemory(), mustParse(t, bcrypt10)
		d := m.Digest(credentials("ops", "secret"), h)
		learn(t, m, d)
		for name, other := range map[string]Digest{
			"another password":  m.Digest(credentials("ops", "secret2"), h),
			"another name":      m.Digest(credentials("op", "ssecret"), h),
			"another hash":      m.Digest(credentials("ops", "secret"), mustParse(t, "$2b"+bcrypt10[3:])),
			"of another memory": NewMemory().Digest(credentials("ops", "secret"), h),
		} {
			if other == d {
				t.Errorf("%s: it has the same digest", name)
			}
		}
		pass(RememberTime - time.Nanosecond)
		if _, state := m.Begin(d, time.Now()); state != Known {
			t.Error("it is forgotten before its time")
		}
		pass(time.Nanosecond)
		check, state := m.Begin(d, time.Now())
		if state != Unknown {
			t.Error("it is remembered after its time")
		}
		m.End(d, check, Wrong, time.Now())
		if _, state := m.Begin(d, time.Now()); state != Unknown {
			t.Error("what is wrong is remembered")
		}
		m.Sweep(time.Now())
		if n := m.Len(); n != 0 {
			t.Errorf("%d are remembered after a sweep, want none", n)
		}
	})
}

// TestMemoryChecksOnce: of fifty who come with the same, one checks; when that
// one gives up, another one does.
func TestMemoryChecksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		d := m.Digest(credentials("ops", "secret"), mustParse(t, bcrypt10))
		var checks, right atomic.Int64
		for range 50 {
			go func() {
				for {
					check, state := m.Begin(d, time.Now())
					outcome := Right
					switch state {
					case Unknown:
						pass(time.Second)
						if checks.Add(1) < 3 {
							outcome = Unmade
						}
						m.End(d, check, outcome, time.Now())
					case Busy:
						outcome = check.Wait()
					}
					if outcome == Right {
						right.Add(1)
						return
					}
				}
			}()
		}
		pass(time.Minute)
		synctest.Wait()
		if checks.Load() != 3 || right.Load() != 50 {
			t.Errorf("%d checks, %d of 50 came in; want 3 checks", checks.Load(), right.Load())
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, h := NewMemory(), mustParse(t, bcrypt10)
		for i := range rememberedMost + 100 {
			learn(t, m, m.Digest(credentials(fmt.Sprint(i), "secret"), h))
			if n := m.Len(); n > rememberedMost {
				t.Fatalf("%d are remembered", n)
			}
		}
		pass(RememberTime)
		learn(t, m, m.Digest(credentials("one more", "secret"), h))
		if n := m.Len(); n != 1 {
			t.Errorf("%d are remembered, want what is not over alone", n)
		}
	})
}

func BenchmarkKnown(b *testing.B) {
	m := NewMemory()
	c := credentials("ops", "a password of some length")
	h := mustParse(b, bcrypt10)
	d := m.Digest(c, h)
	check, _ := m.Begin(d, time.Now())
	now := time.Now()
	m.End(d, check, Right, now)
	b.ReportAllocs()
	for b.Loop() {
		if _, state := m.Begin(m.Digest(c, h), now); state != Known {
			b.Fatal("it is not known")
		}
	}
}
