package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"gatehouse/tenancy"
)

// elapse lets the bubble's clock go on.
func elapse(d time.Duration) { <-time.After(d) }

// usualRate is the built-in one.
func usualRate() *tenancy.MinRate {
	return &tenancy.MinRate{PerSecond: 240, After: 10 * time.Second, Ahead: time.Minute}
}

// paced makes a client's body of what comes over a connection.
func paced(c *conn, rate *tenancy.MinRate) *clientTime {
	c.watch.pace.begin(rate)
	return &clientTime{watch: &c.watch}
}

// readOn reads until that is refused, and returns how many bytes came and how
// long it took.
func readOn(t *testing.T, c *conn, rate *tenancy.MinRate) (n int, took time.Duration) {
	t.Helper()
	body, began := paced(c, rate), time.Now()
	buffer := make([]byte, 1000)
	for {
		body.beginRead(rate.Ahead)
		m, err := c.Read(buffer)
		body.endRead()
		n += m
		if errors.Is(err, io.EOF) {
			return n, time.Since(began)
		}
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) || !c.watch.expired() {
				t.Errorf("reading ends with %v", err)
			}
			return n, time.Since(began)
		}
	}
}

// drip writes pieces, one each pause but never at a tick, and then nothing more.
func drip(client net.Conn, piece, times int, pause time.Duration) {
	elapse(tick / 5)
	for range times {
		if _, err := client.Write(make([]byte, piece)); err != nil {
			return
		}
		elapse(pause)
	}
}

func TestPaceOfReads(t *testing.T) {
	for _, test := range []struct {
		name         string
		piece, times int
		pause        time.Duration
		rate         tenancy.MinRate
		took         time.Duration // 0: to the end
	}{
		{"a byte a second", 1, 1000, time.Second, *usualRate(), 10 * time.Second},
		{"nothing at all", 0, 0, 0, *usualRate(), 10 * time.Second},
		{"what a modem does", 250, 600, time.Second, *usualRate(), 0},
		{"in large pieces", 12_500, 12, 50 * time.Second, *usualRate(), 0},
		{"half of it", 120, 600, time.Second, *usualRate(), 21 * time.Second},
		{"fast, then nothing", 100_000, 1, time.Hour, *usualRate(), 60 * time.Second},
		{"off", 1, 600, time.Second, tenancy.MinRate{Ahead: time.Minute}, 0},
		{"longer patience", 1, 1000, time.Second, tenancy.MinRate{PerSecond: 240, After: time.Minute, Ahead: time.Minute}, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(_ *Server, c *conn, client net.Conn) {
				var writing sync.WaitGroup
				defer writing.Wait()
				defer client.Close()
				writing.Go(func() {
					drip(client, test.piece, test.times, test.pause)
					if test.took == 0 {
						_ = client.Close()
					}
				})
				n, took := readOn(t, c, &test.rate)
				if test.took == 0 {
					if n != test.piece*test.times {
						t.Errorf("%d bytes have come after %v, want all", n, took)
					}
					return
				}
				within(t, "reading", took, test.took-tick)
			})
		})
	}
}

// TestPaceOfWaiting: what is no waiting for the client is not charged.
func TestPaceOfWaiting(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, client net.Conn) {
		body := paced(c, usualRate())
		elapse(tick / 5) // from here on, nothing happens at a tick
		for range 100 {
			elapse(5 * time.Second) // a backend's
			var writing sync.WaitGroup
			writing.Go(func() { _, _ = client.Write([]byte("x")) })
			body.beginRead(time.Minute)
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Error(err)
				_ = client.Close()
			}
			body.endRead()
			writing.Wait()
		}
		c.watch.pace.answer()
		body.beginRead(5 * time.Minute)
		elapse(4 * time.Minute) // what is still to come of the request
		body.endRead()
		if c.watch.expired() {
			t.Error("the client's time has run out")
		}
	})
}

// TestPaceOfWrites: an answer is judged by itself, and piece by piece.
func TestPaceOfWrites(t *testing.T) {
	for _, test := range []struct {
		name  string
		bytes int // that the client takes each second
		least time.Duration
		most  time.Duration // 0: it takes all
	}{
		{"one", 1, 10 * time.Second, 20 * time.Second},
		{"a hundred", 100, 10 * time.Second, 30 * time.Second},
		{"three hundred", 300, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(_ *Server, c *conn, client net.Conn) {
				var reading sync.WaitGroup
				defer reading.Wait()
				defer client.Close()
				reading.Go(func() {
					buffer := make([]byte, test.bytes)
					for {
						if _, err := io.ReadFull(client, buffer); err != nil {
							return
						}
						elapse(time.Second)
					}
				})
				answer, began := paced(c, usualRate()), time.Now()
				c.watch.pace.answer()
				var err error
				for n := 0; n < 60 && err == nil; n++ {
					answer.begin(time.Minute)
					_, err = c.Write(make([]byte, 1200))
					answer.end()
				}
				took := time.Since(began)
				switch {
				case test.most == 0 && err != nil:
					t.Errorf("after %v: %v", took, err)
				case test.most > 0 && (err == nil || took < test.least || took > test.most):
					t.Errorf("after %v: %v; want it to end after %v to %v", took, err, test.least, test.most)
				}
			})
		})
	}
}

// TestPaceOfTurns: a request does not pay for what was before it.
func TestPaceOfTurns(t *testing.T) {
	var p pace
	rate := usualRate()
	p.begin(rate)
	for range 20 {
		if _, slow := p.look(0); slow {
			t.Fatal("too slow before its time")
		}
	}
	if _, slow := p.look(0); !slow {
		t.Error("not too slow after 10.5 seconds of nothing")
	}
	p.answer()
	if _, slow := p.look(0); slow || p.behind != tick {
		t.Errorf("an answer begins %v behind", p.behind)
	}
	p.written.Store(5000)
	p.begin(rate)
	p.answer()
	// 3000 bytes of the former answer are still on their way.
	for i := range int64(100) {
		if progress, slow := p.look(2000 + 100*i); slow || progress != (i > 0) {
			t.Fatalf("look %d: progress %v, too slow %v, %v behind", i, progress, slow, p.behind)
		}
	}
	if _, slow := p.look(1 << 60); slow || p.behind != -rate.Ahead {
		t.Errorf("a fast client is %v behind, want %v", p.behind, -rate.Ahead)
	}
}

// TestPaceKeepsIdle: the idle time is that between two bytes, however many one
// read or write is about.
func TestPaceKeepsIdle(t *testing.T) {
	bubble(t, func(_ *Server, c *conn, _ net.Conn) {
		rate := &tenancy.MinRate{After: 10 * time.Second, Ahead: 3 * time.Second}
		record := paced(c, rate)
		record.beginRead(rate.Ahead)
		elapse(tick / 5)
		for range 30 {
			c.watch.pace.read.Add(1)
			elapse(2 * time.Second)
		}
		if c.watch.expired() {
			t.Error("a record that still comes is given up")
		}
		began := time.Now()
		for !c.watch.expired() {
			elapse(tick)
		}
		within(t, "giving it up", time.Since(began), time.Second)
	})
}

// TestPaceOfStreams: a stream does not pay for its connection.
func TestPaceOfStreams(t *testing.T) {
	bubble(t, func(s *Server, c *conn, _ net.Conn) {
		stream := &watch{clock: s.clock, conn: c, target: &left{conn: c}}
		s.registry.add(stream)
		defer s.registry.remove(stream)
		stream.pace.begin(usualRate())
		stream.pace.answer()
		answer := &clientTime{watch: stream}
		answer.begin(10 * time.Minute)
		c.watch.sending(10 * time.Minute)
		elapse(5 * time.Minute)
		if stream.expired() {
			t.Fatal("a stream is given up because the socket takes nothing")
		}
		c.watch.sent()
		began := time.Now()
		for !stream.expired() {
			elapse(tick)
		}
		within(t, "giving the stream up", time.Since(began), 10*time.Second)
	})
}
