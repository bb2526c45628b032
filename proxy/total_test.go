package proxy

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// TestTotalSlowReader: an answer that its client takes slowly, but fast enough
// for everything else, is cut with its whole time, and what the kernel holds of
// it is thrown away.
func TestTotalSlowReader(t *testing.T) {
	t.Parallel()
	planes(t, func(t *testing.T, plane DataPlane) {
		w := newSlowWorld(t, plane, "timeouts: {total: 1s}\nlimits: {min_rate: off}\n")
		w.answerMuch(muchMore)
		c := w.narrow()
		_, _ = io.WriteString(c, get11("a.example", "/"))
		w.awaits(aWrite, 64<<10)
		w.overdue()
		eventually(t, "the answer is cut", func() bool { return w.server.Stats().Tenants["acme"].InFlight == 0 })
		w.logs(`"status":200,"reason":"total_timeout"`)
	})
}

// overdue lets the whole time of everything that is in progress pass.
func (w *slowWorld) overdue() {
	eventually(w.t, "the whole time passes", func() (all bool) {
		all = true
		w.server.registry.each(func(x *watch) {
			if at := x.totalAt.Load(); at > 0 {
				x.expireTotal(at)
			} else if x.inFlight() && !x.cut() {
				all = false
			}
		})
		return all
	})
}

// TestTotalStream: over HTTP/2 the stream alone ends: with 504 if nothing of an
// answer is out, else by a reset.
func TestTotalStream(t *testing.T) {
	t.Parallel()
	w := newSlowWorld(t, OwnPlane, "timeouts: {total: 1s}\n")
	begun := make(chan struct{}, 1)
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/small":
			_, _ = io.WriteString(rw, "small")
			return
		case "/begun":
			_, _ = io.WriteString(rw, "begun")
			_ = http.NewResponseController(rw).Flush()
		}
		begun <- struct{}{}
		<-r.Context().Done()
	})
	f := w.frames("127.0.0.1", "a.example")
	f.must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20}))
	var taking taking
	frames := taking.of(f)
	f.get(1, "/")
	<-begun
	w.overdue()
	_, p := pageOf(http.StatusGatewayTimeout)
	if !taking.await(t, 1, p.length()) {
		t.Error("a stream without an answer is reset; want 504")
	}
	f.get(3, "/begun")
	<-begun
	taking.await(t, 3, len("begun"))
	w.overdue()
	if taking.await(t, 3, len("begun")+1) {
		t.Error("an answer that has begun goes on; want a reset")
	}
	f.get(5, "/small")
	if !taking.await(t, 5, len("small")) {
		t.Error("the next stream is reset, too")
	}
	f.conn.Close()
	<-frames
	w.logs(`"status":504,"reason":"total_timeout"`)
	w.logs(`"status":200,"reason":"total_timeout"`)
}

// TestTotalDial: to reach a backend takes no longer than what is left, and says
// nothing about it.
func TestTotalDial(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // its handshakes never begin
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	w := newSlowWorld(t, OwnPlane, "")
	w.set("acme", `
hosts: [a.example]
access: {public: "a test"}
timeouts: {total: 1s, connect: 1m}
backends: ["https://`+mute.Addr().String()+`"]
ejection: 1
`)
	for range 2 {
		began := time.Now()
		status, _ := w.get(w.client("direct", "127.0.0.1", false), "https://a.example/")
		if status != http.StatusGatewayTimeout || time.Since(began) < time.Second {
			t.Errorf("%d after %v; want 504 after a second", status, time.Since(began))
		}
	}
	w.logs(`"status":504,"reason":"total_timeout"`)
}

// TestTotalCountsWaiting: the whole time begins with the end of the head, also
// where the request had to wait for a turn before its route was looked at.
func TestTotalCountsWaiting(t *testing.T) {
	t.Parallel()
	s, ex := gated(t, "timeouts: {total: 3s}\n")
	ex.watch.clock = s.clock
	ex.started = time.Now().Add(-2 * time.Second)
	ex.bound()
	if left := time.Duration(ex.watch.totalAt.Load() - s.clock.at(time.Now())); left <= 0 || left > time.Second {
		t.Errorf("%v are left of 3 s after 2 s; want 1 s", left)
	}
}
