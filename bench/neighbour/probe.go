package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// requestsEvery and freshEvery are B's load: 100 requests a second on
	// connections that stay, and 20 clients a second that come anew.
	requestsEvery = 10 * time.Millisecond
	freshEvery    = 50 * time.Millisecond

	// patience is how long B's clients wait.
	patience = 10 * time.Second

	// keptConns is how many connections B's clients keep.
	keptConns = 32
)

// latencies sums up one kind of B's requests, in milliseconds.
type latencies struct {
	Count  int
	Failed int
	P50    float64
	P99    float64
	First  string `json:",omitempty"` // what the first failure was
}

// observation is what B saw.
type observation struct{ Requests, Fresh latencies }

// playProbe asks as tenant B at a fixed rate for a time, whatever becomes of the
// requests before, and prints what it saw. Each request's time counts from when
// it was due.
func playProbe(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("probe: DURATION CERTIFICATE")
	}
	d, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(args[1])
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return errors.New("probe: no certificate")
	}
	p := &prober{config: &tls.Config{RootCAs: roots, ServerName: hostOfB, NextProtos: []string{"http/1.1"}}}
	p.idle = make(chan *client, keptConns)
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var o observation
	var both sync.WaitGroup
	both.Go(func() { o.Requests = p.atRate(ctx, requestsEvery, p.kept) })
	both.Go(func() { o.Fresh = p.atRate(ctx, freshEvery, p.fresh) })
	both.Wait()
	p.closeIdle()
	return json.NewEncoder(out).Encode(o)
}

// prober is B's clients.
type prober struct {
	config *tls.Config
	idle   chan *client
}

// client is a connection of one of them.
type client struct {
	conn *tls.Conn
	r    *bufio.Reader
}

// atRate calls ask every period until ctx ends, and waits for those under way.
func (p *prober) atRate(ctx context.Context, every time.Duration, ask func() error) latencies {
	var mu sync.Mutex
	var took []time.Duration
	var l latencies
	var asking sync.WaitGroup
	tick := time.NewTicker(every)
	defer tick.Stop()
	began := time.Now()
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			asking.Wait()
			return summed(l, took)
		case <-tick.C:
		}
		due := began.Add(time.Duration(n) * every)
		asking.Go(func() {
			err := ask()
			d := time.Since(due)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, d)
			if err != nil {
				l.Failed++
				if l.First == "" {
					l.First = err.Error()
				}
			}
		})
	}
}

func summed(l latencies, took []time.Duration) latencies {
	slices.Sort(took)
	l.Count = len(took)
	if len(took) > 0 {
		l.P50 = milliseconds(took[len(took)/2])
		l.P99 = milliseconds(took[len(took)*99/100])
	}
	return l
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func (p *prober) dial() (*client, error) {
	d := net.Dialer{Timeout: patience}
	conn, err := d.Dial("tcp", proxyAddress)
	if err != nil {
		return nil, err
	}
	c := &client{conn: tls.Client(conn, p.config)}
	c.r = bufio.NewReader(c.conn)
	_ = conn.SetDeadline(time.Now().Add(patience))
	if err := c.conn.Handshake(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("handshake: %w", err)
	}
	return c, nil
}

// kept asks on a connection that is open, as most requests are.
func (p *prober) kept() error {
	var c *client
	select {
	case c = <-p.idle:
	default:
		fresh, err := p.dial()
		if err != nil {
			return err
		}
		c = fresh
	}
	if err := c.ask(); err != nil {
		_ = c.conn.Close()
		return err
	}
	select {
	case p.idle <- c:
	default:
		_ = c.conn.Close()
	}
	return nil
}

// fresh asks as a client that has just come.
func (p *prober) fresh() error {
	c, err := p.dial()
	if err != nil {
		return err
	}
	defer func() { _ = c.conn.Close() }()
	return c.ask()
}

// ask sends one request and reads the whole answer.
func (c *client) ask() error {
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c.conn, "GET /app HTTP/1.1\r\nHost: "+hostOfB+"\r\n\r\n"); err != nil {
		return err
	}
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	switch {
	case err != nil:
		return fmt.Errorf("body: %w", err)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", res.StatusCode)
	case n != answerBytes:
		return fmt.Errorf("%d bytes of %d", n, answerBytes)
	}
	return nil
}

func (p *prober) closeIdle() {
	close(p.idle)
	for c := range p.idle {
		_ = c.conn.Close()
	}
}
