package gateway

import "testing"

func TestNearestBackend(t *testing.T) {
	addresses := []string{"10.4.1.10:8080", "10.4.1.11:8081", "app.test:21100", "app.test:21100", "other.test:8081", "10.4.1.12:9000"}
	for backend, want := range map[string]string{
		"10.4.1.12":        "10.4.1.12:9000",
		"9000":             "10.4.1.12:9000",
		"8081":             "", // of two
		"127.0.0.2:21100":  "app.test:21100",
		"10.4.1.10:8081":   "other.test:8081",
		"10.4.1.10:808":    "10.4.1.10:8080",
		"ap.test:21100":    "app.test:21100",
		"backend.internal": "",
	} {
		if got := nearestBackend(backend, addresses); got != want {
			t.Errorf("%s: %q, want %q", backend, got, want)
		}
	}
}
