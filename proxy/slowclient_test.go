package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// slowWorld is a world whose sweeper rests: bytes move in real time, and ticks
// pass when the test says so.
type slowWorld struct{ *world }

func newSlowWorld(t *testing.T, plane DataPlane, keys string) *slowWorld {
	return &slowWorld{newWorldOf(t, &world{rests: true, tenants: map[string]string{"acme": `
hosts: [a.example]
access: {public: "a test"}
backends: ["{backend}"]
` + keys}}, plane)}
}

// planes runs a test on both.
func planes(t *testing.T, f func(t *testing.T, plane DataPlane)) {
	for name, plane := range map[string]DataPlane{"own": OwnPlane, "standard": StandardPlane} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, plane)
		})
	}
}

// pass lets d go by, as far as it is sampled.
func (w *slowWorld) pass(d time.Duration) {
	for range d / tick {
		w.server.registry.each(func(x *watch) { x.sweep(w.server.clock.now()) })
	}
}

// waiting reports whether a client is waited for, and how much has moved below
// TLS or in streams.
func (w *slowWorld) waiting(what int32) (yes bool, moved int64) {
	w.server.registry.each(func(x *watch) {
		if waits := x.pace.waits.Load(); what == aWrite && waits >= aWrite || what == aRead && waits%aWrite > 0 {
			yes = true
		}
		if !x.carries() {
			moved += x.pace.read.Load() + x.pace.written.Load()
		}
	})
	return yes, moved
}

// awaits waits until a client is waited for, with nothing moving any more.
func (w *slowWorld) awaits(what int32, least int64) (moved int64) {
	w.t.Helper()
	last, same := int64(-1), 0
	eventually(w.t, "a client is waited for", func() bool {
		var yes bool
		yes, moved = w.waiting(what)
		if same++; !yes || moved < least || moved != last {
			last, same = moved, 0
		}
		return same >= 3
	})
	return moved
}

// logs waits for a line of the access log.
func (w *slowWorld) logs(want string) {
	w.t.Helper()
	eventually(w.t, "the log has "+want, func() bool {
		w.server.access.flush()
		return strings.Contains(w.log.String(), want)
	})
}

// statusOf gives the final status once it comes.
func statusOf(r io.Reader) <-chan int {
	status := make(chan int, 1)
	go func() {
		answer, err := http.ReadResponse(bufio.NewReader(r), nil)
		if err != nil {
			status <- 0
			return
		}
		status <- answer.StatusCode
	}()
	return status
}

// trickle sends a piece each second, at most so many, until an answer comes. It
// returns the answer and how long it took.
func (w *slowWorld) trickle(send func(n int) error, piece, times int, answer <-chan int) (int, time.Duration) {
	w.t.Helper()
	moved := w.awaits(aRead, 0)
	for n := range times {
		if err := send(piece); err != nil {
			return <-answer, time.Duration(n) * time.Second
		}
		if n+1 == times {
			break
		}
		// An answer may come in the middle, and then nothing is waited for.
		status := -1
		eventually(w.t, "a piece arrives", func() bool {
			select {
			case status = <-answer:
			default:
			}
			yes, now := w.waiting(aRead)
			if yes && now >= moved+int64(piece) {
				moved = now
				return true
			}
			return status >= 0
		})
		if status >= 0 {
			return status, time.Duration(n) * time.Second
		}
		w.pass(time.Second)
	}
	select {
	case status := <-answer:
		return status, time.Duration(times) * time.Second
	case <-time.After(patience):
		w.t.Fatal("no answer")
		return 0, 0
	}
}

// uploads are a body that is read before a backend is taken, one that streams,
// and one in chunks.
var uploads = []struct {
	length int
	fields string
}{{40_000, "Content-Length: 40000"}, {100_000, "Content-Length: 100000"}, {0, "Transfer-Encoding: chunked"}}

func TestSlowUpload(t *testing.T) {
	t.Parallel()
	planes(t, func(t *testing.T, plane DataPlane) {
		w := newSlowWorld(t, plane, "")
		w.answerWith(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
		for _, upload := range uploads {
			c := w.dial("127.0.0.1", "a.example")
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.example\r\n"+upload.fields+"\r\n\r\n")
			send := func(n int) error { return sendPiece(c, n, upload.length == 0) }
			status, took := w.trickle(send, 1, 100, statusOf(c))
			// Below TLS and in chunks a byte is 23 to 28, and who is not waited for
			// just then is not charged.
			if status != http.StatusRequestTimeout || took < 8*time.Second || took > 30*time.Second {
				t.Errorf("%s: %d after %v, want 408 after 10 seconds", upload.fields, status, took)
			}
			c.Close()
		}
		w.logs(`"status":408,"reason":"too_slow"`)
	})
}

func sendPiece(c net.Conn, n int, chunked bool) error {
	piece := strings.Repeat("x", n)
	if chunked {
		piece = fmt.Sprintf("%x\r\n%s\r\n", n, piece)
	}
	_, err := io.WriteString(c, piece)
	return err
}

// TestSlowButHonestUpload: two and a half minutes of what a modem does.
func TestSlowButHonestUpload(t *testing.T) {
	t.Parallel()
	planes(t, func(t *testing.T, plane DataPlane) {
		w := newSlowWorld(t, plane, "request_buffer: 40KiB\n")
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			if n, err := io.Copy(io.Discard, r.Body); n != 39_000 && n != 40_950 || err != nil {
				rw.WriteHeader(http.StatusTeapot)
			}
		})
		for _, upload := range []struct {
			fields string
			piece  int
		}{{"Content-Length: 39000", 260}, {"Content-Length: 40950", 273}, {"Transfer-Encoding: chunked", 260}} {
			c := w.dial("127.0.0.1", "a.example")
			chunked := strings.HasPrefix(upload.fields, "T")
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a.example\r\n"+upload.fields+"\r\n\r\n")
			sent := 0
			send := func(n int) error {
				err := sendPiece(c, n, chunked)
				if sent++; sent == 150 && chunked {
					_, _ = io.WriteString(c, "0\r\n\r\n")
				}
				return err
			}
			if status, took := w.trickle(send, upload.piece, 150, statusOf(c)); status != http.StatusOK {
				t.Errorf("%s: %d after %v, want 200", upload.fields, status, took)
			}
			c.Close()
		}
	})
}

// statusOf reads frames until a stream ends, and gives its status: 0 for a
// reset. What others get is not looked at.
func (f *framed) statusOf(stream uint32) <-chan int {
	status := make(chan int, 1)
	go func() {
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				status <- 0
				return
			}
			if frame.Header().StreamID != stream {
				continue
			}
			switch frame := frame.(type) {
			case *http2.MetaHeadersFrame:
				code := 0
				_, _ = fmt.Sscan(frame.PseudoValue("status"), &code)
				status <- code
				return
			case *http2.RSTStreamFrame:
				status <- 0
				return
			}
		}
	}()
	return status
}

func TestSlowUploadOverHTTP2(t *testing.T) {
	t.Parallel()
	w := newSlowWorld(t, OwnPlane, "")
	w.answerWith(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	for _, test := range []struct {
		length, piece, times int
		want                 int
		least, most          time.Duration
	}{
		// A frame of 16 KiB might be on its way.
		{40_000, 1, 100, 408, 60 * time.Second, 90 * time.Second},
		{100_000, 1, 100, 408, 60 * time.Second, 90 * time.Second},
		{39_000, 260, 150, 200, 149 * time.Second, 151 * time.Second},
		{105_000, 700, 150, 200, 149 * time.Second, 151 * time.Second},
	} {
		f := w.frames("127.0.0.1", "a.example")
		f.ask(1, false, ":method", "POST", ":scheme", "https", ":authority", "a.example", ":path", "/", "content-length", fmt.Sprint(test.length))
		sent := 0
		send := func(n int) error {
			sent++
			return f.WriteData(1, sent == test.times, make([]byte, n))
		}
		status, took := w.trickle(send, test.piece, test.times, f.statusOf(1))
		if status != test.want || took < test.least || took > test.most {
			t.Errorf("%d bytes, %d at a time: %d after %v, want %d after %v", test.length, test.piece, status, took, test.want, test.least)
		}
		f.conn.Close()
	}
	w.logs(`"status":408,"reason":"too_slow"`)
}

// TestNoRate: what waits for something else than the client has all the time
// that other keys give it.
func TestNoRate(t *testing.T) {
	t.Parallel()
	planes(t, func(t *testing.T, plane DataPlane) {
		w := newSlowWorld(t, plane, "routes: {/patient/: {limits: {min_rate: off}}}\n")
		think := make(chan struct{})
		w.answerWith(func(rw http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/ws":
				c, _, _ := http.NewResponseController(rw).Hijack()
				_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
				go func() {
					defer c.Close()
					_, _ = io.Copy(c, c)
				}()
				return
			case "/events":
				rw.(http.Flusher).Flush()
			}
			_, _ = io.Copy(io.Discard, r.Body)
			<-think
			_, _ = io.WriteString(rw, "thought")
		})
		for _, request := range []string{
			get11("a.example", "/slow"),
			get11("a.example", "/events"),
			"POST /patient/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nab",
			"POST /patient/ HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100000\r\n\r\nab",
			"GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
		} {
			c := w.dial("127.0.0.1", "a.example")
			answers := bufio.NewReader(c)
			_, _ = io.WriteString(c, request)
			upload := strings.HasPrefix(request, "POST")
			switch {
			case upload:
				w.awaits(aRead, 0)
			case strings.Contains(request, "/slow"):
				eventually(t, "the backend thinks", func() bool { return w.server.Stats().Tenants["acme"].InFlight > 0 })
			default:
				_, _ = answers.Peek(1)
			}
			w.pass(5 * time.Minute)
			switch {
			case upload && strings.Contains(request, ": 3"):
				_, _ = io.WriteString(c, "c")
			case upload:
				_, _ = io.WriteString(c, strings.Repeat("c", 99_998))
			case strings.Contains(request, "/ws"):
				_, _ = io.WriteString(c, "still here")
			}
			if !strings.Contains(request, "/ws") {
				think <- struct{}{}
			}
			answer, err := http.ReadResponse(answers, nil)
			if err != nil || answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("%.40q: %v, %v", request, answer, err)
			}
			if answer.StatusCode == http.StatusSwitchingProtocols {
				echo := make([]byte, len("still here"))
				if _, err := io.ReadFull(answers, echo); err != nil {
					t.Errorf("the tunnel: %v", err)
				}
			} else if got, err := io.ReadAll(answer.Body); string(got) != "thought" || err != nil {
				t.Errorf("%.40q: %q, %v", request, got, err)
			}
			c.Close()
		}
	})
}
