package proxy

import (
	"testing"

	"gatehouse/internal/http1"
)

// TestWireCheckSplitsAnywhere: wherever reads cut what a client sends, as many
// heads are accepted and the same is refused.
func TestWireCheckSplitsAnywhere(t *testing.T) {
	type result struct {
		accepted int
		refused  *http1.Error
		at       wirePlace
	}
	read := func(text string, at int) result {
		c := wireCheck{limits: http1.DefaultLimits()}
		c.rest()
		c.follow([]byte(text[:at]))
		c.follow([]byte(text[at:]))
		return result{c.accepted, c.refused, c.at}
	}
	const most = 2000 // longer ones are one letter repeated
	for _, archive := range readCorpus(t, "requests") {
		for _, c := range archive.cases {
			if len(c.in) > most {
				continue
			}
			want := read(c.in, 0)
			for at := range c.in {
				if got := read(c.in, at); got != want {
					t.Fatalf("%s/%s split at %d: %v, whole %v", archive.class, c.name, at, got, want)
				}
			}
		}
	}
}

// TestWireCheckHidesWhatIsRefused: the library sees good messages to their last
// byte, and nothing behind them.
func TestWireCheckHidesWhatIsRefused(t *testing.T) {
	const good = "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
	const tunnel = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
	for name, c := range map[string]struct{ good, behind string }{
		"a length beside a coding": {good, "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
		"bare LF":                  {good, "GET / HTTP/1.1\nHost: a.example\n\n"},
		"what is in doubt":         {tunnel, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"},
	} {
		w := wireCheck{limits: http1.DefaultLimits()}
		w.rest()
		if n := w.follow([]byte(c.good + c.behind)); n != len(c.good) {
			t.Errorf("%s: the library sees %d bytes, want %d", name, n, len(c.good))
		}
	}
}
