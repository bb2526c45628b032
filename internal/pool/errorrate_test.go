package pool

import (
	"testing"
	"time"
)

// The rate is that of the last so much time.
func TestErrorRate(t *testing.T) {
	var e ErrorRate
	now := int64(time.Hour)
	add := func(requests, errors int64) (int64, int64) { return e.Add(now, time.Minute, requests, errors) }
	for range 6 {
		add(10, 1)
		now += int64(10 * time.Second)
	}
	if requests, errors := add(0, 0); requests < 40 || requests > 60 || errors*10 != requests {
		t.Errorf("after a minute: %d requests, %d errors", requests, errors)
	}
	now += int64(time.Minute)
	if requests, _ := add(1, 0); requests != 1 {
		t.Errorf("after another: %d requests, want 1", requests)
	}
	if requests, _ := e.Add(now, time.Hour, 2, 0); requests != 2 {
		t.Errorf("over another time: %d requests, want those of that time, 2", requests)
	}
	e.Reset()
	if requests, errors := add(0, 0); requests+errors != 0 {
		t.Errorf("after a reset: %d requests, %d errors", requests, errors)
	}
}
