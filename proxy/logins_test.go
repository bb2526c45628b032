package proxy

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/limit"
	"gatehouse/internal/password"
	"gatehouse/tenancy"
)

// waitTurn is how a caller without an exchange waits.
func waitTurn(gate *limit.Gate) (inside, over bool) {
	ticket, inside := gate.Enter()
	if ticket != nil {
		inside = ticket.Wait()
	}
	return inside, false
}

// newHashing is the gate of the process.
func newHashing(most int) *limit.Gate {
	all := new(limit.Gate)
	all.Set(limit.Bounds{Most: most, Queue: allHashQueueMax, Wait: hashWaitMax})
	return all
}

// TestHashTurns: each tenant has one place in the queue of all of them, so one
// that is flooded costs another at most the hash in progress for each.
func TestHashTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newHashing(1)
		var atOnce, most atomic.Int64
		slow := func() bool {
			most.Store(max(most.Load(), atOnce.Add(1)))
			defer atOnce.Add(-1)
			<-time.After(250 * time.Millisecond)
			return false
		}
		flooded, other := newLogins(nil), newLogins(nil)
		var results [over + 1]atomic.Int64
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() { results[flooded.hash(all, waitTurn, slow)].Add(1) })
		}
		synctest.Wait()
		began := time.Now()
		if a := other.hash(all, waitTurn, slow); a != wrong {
			t.Errorf("the other tenant's answer is %d", a)
		}
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("the other tenant waited for %v", took)
		}
		group.Wait()
		if most.Load() != 1 {
			t.Errorf("%d hashes were computed at once, want 1", most.Load())
		}
		if done, turned := results[wrong].Load(), results[busy].Load(); done != hashesMax+hashQueueMax || turned != 100-done {
			t.Errorf("%d were hashed and %d turned away, want %d hashed", done, turned, hashesMax+hashQueueMax)
		}
	})
}

// guardOf returns the one guard of a tenant.
func guardOf(t *testing.T) *tenancy.Guard {
	t.Helper()
	w := newWorldOn(t, map[string]string{"acme": guardedWhole}, OwnPlane)
	return w.table.Tenant("acme").Routes()[0].Guards()[0]
}

// TestUserFailures: all clients together may guess so often about a name, and one
// that does not exist is like one that does.
func TestUserFailures(t *testing.T) {
	t.Parallel()
	guard := guardOf(t)
	for _, name := range []string{"ops", "nobody"} {
		l, all := newLogins(nil), newHashing(1)
		in := login{guard: guard, now: int64(time.Hour)}
		for range failuresOfUserMax {
			l.users.Take(l.name(&login{guard: guard, Credentials: password.Credentials{Name: []byte(name)}}), in.now, failures.user)
		}
		in.Credentials = password.Credentials{Name: []byte(name), Password: []byte("allmine")}
		in.client = 7
		if a, wait := l.check(&in, all, waitTurn); a != limited || wait != failureOfUserEvery {
			t.Errorf("%s: the answer is %d, after %v; want it limited", name, a, wait)
		}
		in.now += int64(failureOfUserEvery)
		want := right
		if name == "nobody" {
			want = wrong
		}
		if a, _ := l.check(&in, all, waitTurn); a != want {
			t.Errorf("%s: the answer is %d after the wait, want %d", name, a, want)
		}
	}
}

// TestRightIsNoFailure: what was right takes nothing of what may be wrong.
func TestRightIsNoFailure(t *testing.T) {
	t.Parallel()
	l, all, guard := newLogins(nil), newHashing(1), guardOf(t)
	in := login{guard: guard, client: 7, now: int64(time.Hour), Credentials: password.Credentials{Name: []byte("ops"), Password: []byte("allmine")}}
	if a, _ := l.check(&in, all, waitTurn); a != right {
		t.Fatalf("the answer is %d", a)
	}
	if n := l.clients.Len(in.now) + l.users.Len(in.now); n != 0 {
		t.Errorf("%d failures are counted", n)
	}
	// Whose exchange ends before the turn comes has not failed.
	in.Password = []byte("wrong")
	if a, _ := l.check(&in, all, func(*limit.Gate) (bool, bool) { return false, true }); a != over {
		t.Errorf("the answer is %d, want over", a)
	}
	if n := l.clients.Len(in.now) + l.users.Len(in.now); n != 0 {
		t.Errorf("%d failures are counted of one that was not checked", n)
	}
}

// TestFailuresAreBounded: a flood of addresses and names does not grow memory
// without end.
func TestFailuresAreBounded(t *testing.T) {
	t.Parallel()
	l := newLogins(new(limit.Room))
	for i := range 1_000_000 {
		l.clients.Take(limit.Address(i+1), int64(time.Hour), failures.client)
	}
	if n := l.clients.Len(int64(time.Hour)); n > 600_000 {
		t.Errorf("%d clients are remembered", n)
	}
	l.close()
}

func BenchmarkRemembered(b *testing.B) {
	hash, err := password.Parse(hashOfAllmine)
	if err != nil {
		b.Fatal(err)
	}
	l := newLogins(nil)
	room := new(password.Room)
	digest := l.memory.Digest(password.Credentials{Name: []byte("ops"), Password: []byte("allmine")}, hash)
	check, _ := l.memory.Begin(digest, time.Now())
	l.memory.End(digest, check, password.Right, time.Now())
	value := []byte("Basic b3BzOmFsbG1pbmU=")
	b.ReportAllocs()
	for b.Loop() {
		c, ok := password.ParseBasic(value, room)
		if !ok {
			b.Fatal("it is not read")
		}
		if _, state := l.memory.Begin(l.memory.Digest(c, hash), time.Now()); state != password.Known {
			b.Fatal(fmt.Sprint("the state is ", state))
		}
	}
}

// TestLimitedNameCostsNothing: who asks with a name whose failures are used up has
// not guessed, and has no failure more.
func TestLimitedNameCostsNothing(t *testing.T) {
	t.Parallel()
	l, all, guard := newLogins(nil), newHashing(1), guardOf(t)
	in := login{guard: guard, now: int64(time.Hour), client: 7}
	in.Credentials = password.Credentials{Name: []byte("ops"), Password: []byte("mine")}
	for range failuresOfUserMax { // by strangers
		l.users.Take(l.name(&in), in.now, failures.user)
	}
	for range failuresOfClientMax {
		if a, _ := l.check(&in, all, waitTurn); a != limited {
			t.Fatalf("answer %d, want that the name is limited", a)
		}
	}
	in.Credentials = password.Credentials{Name: []byte("colleague"), Password: []byte("x")}
	if a, _ := l.check(&in, all, waitTurn); a != wrong {
		t.Errorf("answer %d to a colleague at the same address, want wrong", a)
	}
}
