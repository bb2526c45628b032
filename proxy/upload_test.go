package proxy

import (
	"errors"
	"net"
	"os"
	"testing"

	"gatehouse/internal/pool"
)

// TestStoppedBodies: reading from a client ends for good once a body was
// stopped, so an answer must not promise that the connection goes on, not even
// where the last byte had come by then.
func TestStoppedBodies(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	c := &conn{Conn: near}
	own := &http1Body{client: &http1Client{conn: c}}
	own.isEnded.Store(true)
	standard := &standardRequest{link: &standardConn{conn: c}}
	standard.isEnded.Store(true)
	for name, body := range map[string]requestBody{"own": own, "standard": standard} {
		if !body.ended() {
			t.Errorf("%s: a body that was read has not ended", name)
		}
		if body.stop(); body.ended() {
			t.Errorf("%s: a body that was stopped has ended", name)
		}
	}
}

// TestFailedUploadIsSeen: an upload that fails ends the wait for an answer, whatever
// deadline is set at that moment.
func TestFailedUploadIsSeen(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	backend := &pool.Conn{Conn: near}
	s := New(Options{})
	ex := &exchange{watch: &watch{clock: s.clock}}
	tr := &trip{ex: ex, conn: backend, up: &upload{ex: ex, conn: backend}}
	tr.up.wake()
	if _, err := tr.readPatiently(make([]byte, 1), patience); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the wait ends with %v, want a time-out", err)
	}
}
