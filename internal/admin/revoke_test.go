package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// TestDoorsCutWhomTheyNoLongerAdmit: a connection that is open, and has been
// answered, ends within a second or so; those of others stay.
func TestDoorsCutWhomTheyNoLongerAdmit(t *testing.T) {
	for name, serve := range map[string]func(context.Context, *Server, net.Listener, func(netip.Addr) bool) error{
		"health": func(ctx context.Context, s *Server, l net.Listener, admits func(netip.Addr) bool) error {
			return s.ServeHealth(ctx, l, admits)
		},
		"admin": func(ctx context.Context, s *Server, l net.Listener, admits func(netip.Addr) bool) error {
			return s.ServeAdmin(ctx, l, Guard{Admits: admits})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var blocked atomic.Bool
			admits := func(a netip.Addr) bool { return a != netip.MustParseAddr("127.0.0.2") || !blocked.Load() }
			l := listenLoopback(t)
			serving(t, func(ctx context.Context) error { return serve(ctx, New(sampleHouse(nil), quiet()), l, admits) })
			goes, stays := keptOpen(t, "127.0.0.2", l), keptOpen(t, "127.0.0.1", l)
			blocked.Store(true)
			_ = goes.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := goes.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("read %v, want the end of the connection", err)
			}
			askOn(t, stays)
		})
	}
}

// keptOpen is a connection of an address of this machine that has been answered
// once.
func keptOpen(t *testing.T, from string, l net.Listener) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := dialer.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	askOn(t, c)
	return c
}

// askOn asks whether the gateway lives.
func askOn(t *testing.T, c net.Conn) {
	t.Helper()
	fmt.Fprint(c, "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("status %d", answer.StatusCode)
	}
}
