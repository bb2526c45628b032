package e2e

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// A socket is an open WebSocket through the gateway.
type socket struct{ *websocket.Conn }

// webSocket opens one over a TLS connection that dial makes.
func (w *world) webSocket(t *testing.T, host string, dial func() (*tls.Conn, error)) socket {
	t.Helper()
	transport := &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			c, err := dial()
			if err != nil {
				return nil, err
			}
			return c, c.SetDeadline(time.Time{}) // it stays open for the length of the test
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), answerTime)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "wss://"+w.authority(host)+"/ws", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatalf("WebSocket to %s: %v", host, err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return socket{c}
}

// says sends a message and wants it back.
func (s socket) says(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTime)
	defer cancel()
	if err := s.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		t.Fatalf("WebSocket: write: %v", err)
	}
	_, got, err := s.Read(ctx)
	if err != nil || string(got) != text {
		t.Fatalf("WebSocket: read %q, %v, want %q", got, err, text)
	}
}

// diesWithin wants the other side to end the connection, and says how long that took.
func (s socket) diesWithin(t *testing.T, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	started := time.Now()
	_, _, err := s.Read(ctx)
	if err == nil || ctx.Err() != nil {
		t.Fatalf("WebSocket lives after %v, want it ended within %v (read: %v)", time.Since(started), limit, err)
	}
}

// TestWebSocket: upgrades pass, in both directions, for long and for large messages.
func TestWebSocket(t *testing.T) {
	w := newWorld(t)
	w.write(t, "tenants/acme.yaml", acmeText(echo(t, "acme").URL))
	w.start(t)
	s := w.webSocket(t, "acme.example", func() (*tls.Conn, error) { return w.dial(t, clientOfAcme, "acme.example") })
	s.SetReadLimit(messageMax)
	s.says(t, "hello")
	large := make([]byte, 300_000)
	for i := range large {
		large[i] = 'a' + byte(i%26)
	}
	s.says(t, string(large))
	if err := s.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Errorf("close handshake through the gateway: %v", err)
	}
}

// TestWebSocketOfStranger: an upgrade is a request like any other.
func TestWebSocketOfStranger(t *testing.T) {
	w := newWorld(t)
	w.write(t, "tenants/acme.yaml", acmeText(echo(t, "acme").URL))
	w.start(t)
	c, err := w.dial(t, stranger, "acme.example")
	if err != nil {
		t.Fatal(err)
	}
	answer, _, err := exchange(c, "GET /ws HTTP/1.1\r\nHost: acme.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil || answer.StatusCode != 403 {
		t.Errorf("a stranger's upgrade: %v, %v, want 403", answer, err)
	}
}
