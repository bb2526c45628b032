package limit

import (
	"testing"
	"time"
)

func TestKeyedGive(t *testing.T) {
	k, q := NewKeyed(nil), Quota{Every: time.Second, Burst: 2}
	now := int64(time.Hour)
	k.Give(1, q) // of nobody
	for range 10 {
		if wait := k.Take(1, now, q); wait > 0 {
			t.Fatalf("there is none, although each was given back")
		}
		k.Give(1, q)
	}
	k.Take(1, now, q)
	k.Take(1, now, q)
	if wait := k.Take(1, now, q); wait != time.Second {
		t.Errorf("it is to wait for %v, want a second", wait)
	}
	// What is given back to a bucket that has filled up meanwhile adds nothing.
	now += int64(time.Minute)
	k.Give(1, q)
	k.Take(1, now, q)
	k.Take(1, now, q)
	if wait := k.Take(1, now, q); wait == 0 {
		t.Error("there are more than the burst")
	}
}
