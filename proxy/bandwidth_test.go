package proxy

import (
	"bytes"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestBandwidth(t *testing.T) {
	t.Parallel()
	const rate, length = 100 << 10, 150 << 10
	eachWay(t, "limits: {bandwidth: 100KiB/s}\n", func(t *testing.T, w *world, c *http.Client) {
		w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = rw.Write(bytes.Repeat([]byte("x"), length))
		})
		began := time.Now()
		for range 2 {
			if _, body := w.get(c, "https://b.example/"); len(body) != length {
				t.Fatalf("%d bytes came, want %d", len(body), length)
			}
		}
		free := time.Since(began)
		began = time.Now()
		done := make(chan int, 2)
		for range 2 {
			go func() {
				response, err := c.Get("https://a.example/")
				if err != nil {
					done <- -1
					return
				}
				defer response.Body.Close()
				n, _ := io.Copy(io.Discard, response.Body)
				done <- int(n)
			}()
		}
		for range 2 {
			if n := <-done; n != length {
				t.Errorf("%d bytes came, want %d", n, length)
			}
		}
		// What comes before it is full is not waited for, nor is the last piece
		// in the sockets.
		least := time.Duration(float64(2*length-rate/4-2*copyRoom) / rate * float64(time.Second))
		if took := time.Since(began); took < least {
			t.Errorf("two answers took %v, want %v at least; without a limit they took %v", took, least, free)
		}
	})
}

// TestBandwidthIsLeft: nobody waits for the turn of a client that has gone.
func TestBandwidthIsLeft(t *testing.T) {
	t.Parallel()
	w := newGatedWorld(t, OwnPlane, "limits: {bandwidth: 1KiB/s, in_flight: 5}\n")
	w.answerWith(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = rw.Write(bytes.Repeat([]byte("x"), 1<<20))
	})
	c := w.dial("127.0.0.1", "a.example")
	if _, err := io.WriteString(c, get11("a.example", "/")); err != nil {
		t.Fatal(err)
	}
	w.awaitLoad(`tenant "acme"`, 1, 0)
	_ = c.NetConn().Close()
	w.awaitLoad(`tenant "acme"`, 0, 0)
}

func TestBandwidthOfWebSockets(t *testing.T) {
	t.Parallel()
	w := newGatedWorld(t, OwnPlane, "limits: {bandwidth: 20KiB/s}\n")
	w.answerWith(echo)
	c := w.talk("127.0.0.1", "https://a.example/")
	defer c.CloseNow()
	began := time.Now()
	for range 4 {
		if err := c.Write(t.Context(), websocket.MessageBinary, make([]byte, 10<<10)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// 40 KiB, of which a quarter of a second's need not wait, nor the last piece.
	if took := time.Since(began); took < time.Second {
		t.Errorf("four messages took %v, want a second at least", took)
	}
}
