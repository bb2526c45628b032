package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// narrow opens a connection whose kernel takes little ahead.
func (w *slowWorld) narrow(protocols ...string) *tls.Conn {
	w.t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10) })
	}}
	c, err := tls.DialWithDialer(&dialer, "tcp", w.addr("direct"), w.tlsConfig("a.example", protocols...))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// passUntil lets time go by until f is true.
func (w *slowWorld) passUntil(what string, f func() bool) {
	w.t.Helper()
	eventually(w.t, what, func() bool {
		w.pass(time.Second)
		return f()
	})
}

// late reports whether the time of a client has run out. What is cut for it may
// still be on its way down.
func (w *slowWorld) late() (any bool) {
	w.server.registry.each(func(x *watch) { any = any || x.expired() })
	return any
}

// answerMuch answers with so many bytes.
func (w *slowWorld) answerMuch(n int) {
	w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/small" {
			_, _ = io.WriteString(rw, "small")
			return
		}
		rw.Header().Set("Content-Length", fmt.Sprint(n))
		piece := make([]byte, 64<<10)
		for left := n; left > 0; left -= len(piece) {
			if _, err := rw.Write(piece[:min(left, len(piece))]); err != nil {
				return
			}
		}
	})
}

// muchMore is more than kernels take ahead.
const muchMore = 32 << 20

func TestSlowReader(t *testing.T) {
	t.Parallel()
	planes(t, func(t *testing.T, plane DataPlane) {
		w := newSlowWorld(t, plane, "")
		w.answerMuch(muchMore)
		c := w.narrow()
		_, _ = io.WriteString(c, get11("a.example", "/"))
		w.awaits(aWrite, 64<<10)
		w.pass(5 * time.Second)
		if w.late() || w.server.Stats().Tenants["acme"].InFlight != 1 {
			t.Fatal("the client is cut after five seconds")
		}
		w.passUntil("the answer is cut", func() bool { return w.server.Stats().Tenants["acme"].InFlight == 0 })
		_ = c.SetReadDeadline(time.Now().Add(patience))
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, answer.Body)
		// An end in order would leave megabytes in the kernel for as long as the
		// client's answers to its probes, and nobody would count them.
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("after %d bytes the answer ends with %v; want a reset", n, err)
		}
		w.logs(`"status":200,"reason":"too_slow"`)
	})
}

// TestSlowButHonestReader: one that takes 2,000 bytes a second gets all of it,
// though the kernel wakes the writer but every other megabyte.
func TestSlowButHonestReader(t *testing.T) {
	t.Parallel()
	planes(t, func(t *testing.T, plane DataPlane) {
		w := newSlowWorld(t, plane, "")
		w.answerMuch(muchMore)
		c := w.narrow()
		_, _ = io.WriteString(c, get11("a.example", "/"))
		w.awaits(aWrite, 64<<10)
		answers := bufio.NewReader(c)
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		var took time.Duration
		for took < 2*time.Minute {
			n, acked := 0, w.acked()
			eventually(t, "what was read is acknowledged", func() bool {
				m, err := io.CopyN(io.Discard, answer.Body, 4000)
				if n += int(m); err != nil {
					t.Fatalf("after %v: %v", took, err)
				}
				return w.acked() > acked
			})
			d := time.Duration(n) * time.Second / 2000
			w.pass(d)
			took += d
		}
		eventually(t, "the client is waited for", func() bool { yes, _ := w.waiting(aWrite); return yes })
		n, err := io.Copy(io.Discard, answer.Body)
		if err != nil {
			t.Errorf("the rest ends after %d bytes with %v", n, err)
		}
	})
}

// acked is what clients have acknowledged in all.
func (w *slowWorld) acked() (n int64) {
	w.server.registry.each(func(x *watch) {
		if x == &x.conn.watch {
			n += x.conn.acked()
		}
	})
	return n
}

// TestSlowStream: a stream that opens its window byte by byte is reset, and the
// others of its connection go on. One that opens it a little faster is not.
func TestSlowStream(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		window uint32
		times  int
		cut    bool
	}{{1, 100, true}, {300, 150, false}} {
		w := newSlowWorld(t, OwnPlane, "")
		w.answerMuch(muchMore)
		f := w.frames("127.0.0.1", "a.example")
		f.must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 20_000}))
		f.must(f.WriteWindowUpdate(0, 1<<30))
		var taking taking
		frames := taking.of(f)
		f.get(1, "/")
		taking.await(t, 1, 20_000)
		got, cut := 20_000, false
		for range test.times {
			eventually(t, "the window is waited for", func() bool { yes, _ := w.waiting(aWrite); return yes })
			w.pass(time.Second)
			got += int(test.window)
			if f.WriteWindowUpdate(1, test.window) != nil || !taking.await(t, 1, got) {
				cut = true
				break
			}
		}
		if cut != test.cut {
			t.Errorf("%d bytes a second: cut %v, want %v", test.window, cut, test.cut)
		}
		f.get(3, "/small")
		if !taking.await(t, 3, len("small")) {
			t.Error("the next stream is reset, too")
		}
		f.conn.Close()
		<-frames
		if cut {
			w.logs(`"status":200,"reason":"too_slow"`)
		}
	}
}

// taking counts what streams get.
type taking struct {
	mu    sync.Mutex
	data  map[uint32]int
	reset map[uint32]bool
}

// of reads frames until the connection ends.
func (k *taking) of(f *framed) (done <-chan struct{}) {
	k.data, k.reset = make(map[uint32]int), make(map[uint32]bool)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			k.mu.Lock()
			switch frame := frame.(type) {
			case *http2.DataFrame:
				k.data[frame.StreamID] += len(frame.Data())
			case *http2.RSTStreamFrame:
				k.reset[frame.StreamID] = true
			}
			k.mu.Unlock()
		}
	}()
	return ended
}

// await waits for so many bytes; it reports false if the stream is reset before.
func (k *taking) await(t *testing.T, stream uint32, n int) (came bool) {
	t.Helper()
	eventually(t, fmt.Sprintf("stream %d gets %d bytes", stream, n), func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		came = k.data[stream] >= n
		return came || k.reset[stream]
	})
	return came
}

// TestSlowConnection: a client that opens its windows and takes nothing from its
// socket is cut as a whole.
func TestSlowConnection(t *testing.T) {
	t.Parallel()
	w := newSlowWorld(t, OwnPlane, "")
	w.answerMuch(muchMore)
	f := w.frames("127.0.0.1", "a.example")
	f.must(f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	f.must(f.WriteWindowUpdate(0, 1<<30))
	f.get(1, "/")
	f.get(3, "/")
	eventually(t, "the socket takes nothing more", func() (blocked bool) {
		moved := w.awaits(aWrite, 1<<20)
		w.server.registry.each(func(x *watch) { blocked = blocked || x.carries() && x.sendAt.Load() > 0 })
		return blocked && moved == w.awaits(aWrite, 0)
	})
	w.passUntil("the connection is closed", func() bool { return w.server.Stats().Tenants["acme"].Connections == 0 })
}
