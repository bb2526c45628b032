package limit

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// TestKeyedIsABucketForEach: as long as there is a place for everybody, a table
// is a bucket for each client.
func TestKeyedIsABucketForEach(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	q := Quota{Every: 10 * time.Millisecond, Burst: 5}
	table := NewKeyed(new(Room))
	twin := make(map[Address]*model)
	now := int64(1)
	for i := range 200_000 {
		a := Address(1 + random.IntN(20_000))
		if twin[a] == nil {
			twin[a] = &model{last: now}
		}
		got, want := table.Take(a, now, q), twin[a].take(now, q)
		if got != want {
			t.Fatalf("step %d: client %d waits for %v, want %v", i, a, got, want)
		}
		now += random.Int64N(int64(2 * time.Microsecond))
		if i%20_000 == 0 {
			table.Sweep(now)
		}
	}
}

// slots counts the places that a table has.
func (k *Keyed) slots() (n int) {
	for i := range k.shards {
		n += len(k.shards[i].slots)
	}
	return n
}

// TestKeyedIsBounded: a million addresses, and all are served.
func TestKeyedIsBounded(t *testing.T) {
	q := Quota{Every: time.Hour, Burst: 2}
	room := new(Room)
	table := NewKeyed(room)
	now := int64(1)
	for a := range Address(1_000_000) {
		if wait := table.Take(a+1, now, q); wait != 0 {
			t.Fatalf("client %d was never seen and waits for %v", a+1, wait)
		}
		now++
	}
	if got, want := table.slots(), keyedShards*shardSlotsMost; got != want {
		t.Errorf("the table has %d places, want %d", got, want)
	}
	taken := keyedShards * (shardSlotsMost - shardSlotsLeast)
	if got := room.taken.Load(); got != int64(taken) {
		t.Errorf("the table takes %d places of the room, want %d", got, taken)
	}
	now += int64(2 * time.Hour)
	for range 20 {
		table.Sweep(now)
	}
	if got, want := table.slots(), keyedShards*shardSlotsLeast; got != want {
		t.Errorf("when all are forgotten the table has %d places, want %d", got, want)
	}
	if got := room.taken.Load(); got != 0 {
		t.Errorf("%d places were not given back", got)
	}
}

// TestKeyedForgetsTheLeast: those who are over their limit are not forgotten for
// a flood of clients that come once.
func TestKeyedForgetsTheLeast(t *testing.T) {
	q := Quota{Every: time.Minute, Burst: 20}
	table := NewKeyed(new(Room))
	now := int64(1)
	for a := range Address(1000) {
		for range 20 {
			table.Take(a+1, now, q)
		}
	}
	for a := range Address(700_000) {
		now++
		table.Take(10_000+a, now, q)
	}
	let := 0
	for a := range Address(1000) {
		if table.Take(a+1, now, q) == 0 {
			let++
		}
	}
	if let > 0 {
		t.Errorf("%d of a thousand that had spent their burst got more of it", let)
	}
}

// TestKeyedSharesTheRoom: when the room is full, tables that grew before keep
// what they have, and others serve everybody in what they began with.
func TestKeyedSharesTheRoom(t *testing.T) {
	q := Quota{Every: time.Hour, Burst: 1}
	room := new(Room)
	room.taken.Store(roomMax)
	table := NewKeyed(room)
	for a := range Address(100_000) {
		if wait := table.Take(a+1, 1, q); wait != 0 {
			t.Fatalf("client %d waits for %v", a+1, wait)
		}
	}
	if got, want := table.slots(), keyedShards*shardSlotsLeast; got != want {
		t.Errorf("the table has %d places, want %d", got, want)
	}
	if got := room.taken.Load(); got != roomMax {
		t.Errorf("the room counts %d places, want %d", got, roomMax)
	}
}

func TestKeyedClose(t *testing.T) {
	room := new(Room)
	table := NewKeyed(room)
	for a := range Address(50_000) {
		table.Take(a+1, 1, Quota{Every: time.Hour, Burst: 1})
	}
	if n := table.Len(1); n < 49_000 || n > 50_000 {
		t.Errorf("%d clients are counted, want nearly 50,000", n)
	}
	table.Close()
	if n := table.Len(1); n != 0 {
		t.Errorf("%d clients are counted in a table that was closed", n)
	}
	for a := range Address(50_000) {
		table.Take(a+1, 1, Quota{Every: time.Hour, Burst: 1})
	}
	if n := room.taken.Load(); n != 0 {
		t.Errorf("%d places were not given back, or taken afterwards", n)
	}
}

// TestLimitsHold is the promise: with a hundred thousand clients that all send
// twice as much as they may, each gets what it may within 5 %.
func TestLimitsHold(t *testing.T) {
	const (
		clients = 100_000
		seconds = 4
		perSec  = 5
	)
	q := Quota{Every: time.Second / perSec, Burst: 2}
	table := NewKeyed(new(Room))
	got := make([]uint16, clients)
	step := int64(time.Second) / (2 * perSec) / clients
	now := int64(1)
	for range seconds * 2 * perSec {
		for a := range clients {
			if table.Take(Address(a+1), now, q) == 0 {
				got[a]++
			}
			now += step
		}
	}
	const may = seconds*perSec + 2
	wrong := 0
	for _, n := range got {
		if float64(n) > may*1.05 || float64(n) < (may-1)*0.95 {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d clients did not get the %d that they may, within 5 %%", wrong, clients, may)
	}
}

func TestKeyedFromManySides(t *testing.T) {
	q := Quota{Every: time.Millisecond, Burst: 10}
	table := NewKeyed(new(Room))
	var all sync.WaitGroup
	for side := range uint64(4) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(5, side))
			for now := range int64(20_000) {
				table.Take(Address(1+random.IntN(30_000)), now*1000, q)
				if now%5_000 == 0 {
					table.Sweep(now * 1000)
					table.Len(now * 1000)
				}
			}
		})
	}
	all.Wait()
}

func FuzzKeyed(f *testing.F) {
	f.Add(uint64(1), []byte{1, 2, 3, 1, 1, 1, 255})
	f.Fuzz(func(t *testing.T, every uint64, steps []byte) {
		q := Quota{Every: time.Duration(every%1e12 + 1), Burst: 3}
		table := NewKeyed(new(Room))
		twin := make(map[Address]*model)
		now := int64(1)
		for _, step := range steps {
			a := Address(step%8 + 1)
			now += int64(step>>3) * int64(q.Every) / 8
			if twin[a] == nil {
				twin[a] = &model{last: now}
			}
			if got, want := table.Take(a, now, q), twin[a].take(now, q); got != want {
				t.Fatalf("client %d waits for %v, want %v", a, got, want)
			}
		}
	})
}

func BenchmarkKeyed(b *testing.B) {
	q := Quota{Every: time.Millisecond, Burst: 10}
	for name, clients := range map[string]uint64{"one client": 1, "100,000 clients": 100_000, "1,000,000 clients": 1_000_000} {
		b.Run(name, func(b *testing.B) {
			table := NewKeyed(new(Room))
			b.ReportAllocs()
			now, a := int64(1), uint64(0)
			for b.Loop() {
				a = a*6364136223846793005 + 1442695040888963407
				table.Take(Address(a>>33%clients+1), now, q)
				now += 100
			}
		})
	}
}
