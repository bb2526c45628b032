package proxy

import (
	"net"
	"testing"
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
