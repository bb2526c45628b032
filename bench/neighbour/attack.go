package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"
)

// The attacks, each ten times what the limits of A allow: 200 requests in
// progress, 500 a second.
const (
	// slowClients ask for the slow page, ten times as many as may be in progress
	// and 5,000 requests a second when they are refused.
	slowClients = 2000
	slowPause   = 400 * time.Millisecond

	// manyClients keep as many connections open, and ask 5,000 times a second.
	manyClients = 10_000
	manyPause   = 2 * time.Second

	// largeClients upload and fetch large bodies, half of them each.
	largeClients = 400

	// helloClients begin handshakes and leave once the proxy has computed its
	// part, as fast as they can.
	helloClients = 64

	// openings is how many connections an attack opens at a time.
	openings = 100
)

func attackNames() []string { return []string{"slow", "connections", "bodies", "handshakes"} }

// attacker is one client of A.
type attacker struct {
	source netip.Addr
	config *tls.Config
	gate   chan struct{} // for opening connections
}

// playAttack runs an attack until ctx ends.
func playAttack(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("attack: NAME")
	}
	var clients int
	var act func(*attacker, context.Context) error
	switch args[0] {
	case "slow":
		clients, act = slowClients, asking("/slow", slowPause)
	case "connections":
		clients, act = manyClients, asking("/app", manyPause)
	case "bodies":
		clients, act = largeClients, (*attacker).moveLarge
	case "handshakes":
		return floodHellos(ctx)
	default:
		return fmt.Errorf("attack: no %q", args[0])
	}
	gate := make(chan struct{}, openings)
	config := &tls.Config{ServerName: hostOfA, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
	for i := range clients {
		a := &attacker{source: sourceOf(i), config: config, gate: gate}
		go a.again(ctx, act)
	}
	<-ctx.Done()
	return nil
}

// sourceOf gives clients addresses of their own: limits for each address are
// not what is measured.
func sourceOf(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, 2, byte(i >> 8), byte(i)}) }

// again lets a client act on one connection after the other.
func (a *attacker) again(ctx context.Context, act func(*attacker, context.Context) error) {
	for ctx.Err() == nil {
		if act(a, ctx) != nil && wait(ctx, time.Second) != nil {
			return
		}
	}
}

func (a *attacker) dial(ctx context.Context) (*tls.Conn, error) {
	a.gate <- struct{}{}
	defer func() { <-a.gate }()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.source, 0)), Timeout: patience}
	conn, err := d.DialContext(ctx, "tcp", proxyAddress)
	if err != nil {
		return nil, err
	}
	t := tls.Client(conn, a.config)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return t, nil
}

// asking returns a client that asks for path with pauses, as long as its
// connection lives.
func asking(path string, pause time.Duration) func(*attacker, context.Context) error {
	return func(a *attacker, ctx context.Context) error {
		conn, err := a.dial(ctx)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		r := bufio.NewReader(conn)
		for {
			if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: "+hostOfA+"\r\n\r\n"); err != nil {
				return err
			}
			res, err := http.ReadResponse(r, nil)
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				return err
			}
			if err := wait(ctx, pause); err != nil {
				return err
			}
		}
	}
}

// moveLarge uploads where the last bit of its address is set, fetches otherwise.
func (a *attacker) moveLarge(ctx context.Context) error {
	conn, err := a.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.NetConn().Close() })
	defer stop()
	if a.source.As4()[3]&1 == 0 {
		return fetchLarge(conn)
	}
	_, err = fmt.Fprintf(conn, "POST /take HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", hostOfA, largeBytes)
	piece := make([]byte, 64<<10)
	for n := 0; n < largeBytes && err == nil; n += len(piece) {
		_, err = conn.Write(piece)
	}
	return err
}

func fetchLarge(conn *tls.Conn) error {
	if _, err := io.WriteString(conn, "GET /large HTTP/1.1\r\nHost: "+hostOfA+"\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(bufio.NewReaderSize(conn, 64<<10), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", res.StatusCode)
	}
	return err
}

// floodHellos sends the first message of a handshake over and over, and leaves
// when the answer begins: it costs the proxy a signature, and the client
// nothing.
func floodHellos(ctx context.Context) error {
	hello, err := recordHello()
	if err != nil {
		return err
	}
	var n atomic.Uint32
	for range helloClients {
		go func() {
			var answer [1]byte
			for ctx.Err() == nil {
				d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(sourceOf(int(n.Add(1))), 0)), Timeout: patience}
				conn, err := d.DialContext(ctx, "tcp", proxyAddress)
				if err != nil {
					continue
				}
				_ = conn.SetDeadline(time.Now().Add(patience))
				if _, err := conn.Write(hello); err == nil {
					_, _ = conn.Read(answer[:])
				}
				_ = conn.(*net.TCPConn).SetLinger(0)
				_ = conn.Close()
			}
		}()
	}
	<-ctx.Done()
	return nil
}

// recordHello returns the first message of a handshake with A's host.
func recordHello() ([]byte, error) {
	client, server := net.Pipe()
	defer func() { _ = server.Close() }()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: hostOfA, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}).Handshake()
		_ = client.Close()
	}()
	buf := make([]byte, 16<<10)
	n, err := server.Read(buf)
	return buf[:n], err
}
