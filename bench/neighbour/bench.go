package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// settleTime is how long an attack runs before B is looked at: as long as the
// slowest takes to open its connections.
const settleTime = 15 * time.Second

// measure plays all rounds and prints a line for each measurement, then the
// medians.
func measure(ctx context.Context, s *settings, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "gatehouse-neighbour-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p, err := furnish(ctx, dir)
	if err != nil {
		return err
	}
	stage := &stage{place: p, settings: s, out: out, figures: make(map[figureKey][]figure)}
	defer func() { err = errors.Join(err, stage.backends.stop()) }()
	if err := stage.startBackends(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "%-6s %-10s %-12s %26s %26s %9s\n", "round", "proxy", "attack", "p99 of requests, ms", "p99 of new clients, ms", "failures")
	for round := 1; round <= s.rounds; round++ {
		for i := range s.proxies {
			// Another proxy begins each round: what grows warm favours none.
			if err := stage.play(ctx, round, s.proxies[(i+round-1)%len(s.proxies)]); err != nil {
				return err
			}
		}
	}
	stage.report()
	return nil
}

// figureKey is what is measured more than once.
type figureKey struct{ proxy, attack string }

// figure is one measurement beside its own baseline.
type figure struct{ before, during observation }

// stage is everything that runs during a measurement.
type stage struct {
	place    *place
	settings *settings
	out      io.Writer
	backends processes
	figures  map[figureKey][]figure
}

func (s *stage) startBackends(ctx context.Context) error {
	for _, b := range []struct {
		name, address string
		first         bool
	}{{"a", backendOfA, false}, {"b", backendOfB, true}} {
		p, err := s.place.start(ctx, elsewhere(b.first), s.place.self, "backend", b.name, b.address)
		if err != nil {
			return err
		}
		s.backends = append(s.backends, p)
		if err := reachable(ctx, b.address); err != nil {
			return err
		}
	}
	return nil
}

// play measures one proxy under each attack. It is started anew for each, so
// that none pays for the one before.
func (s *stage) play(ctx context.Context, round int, proxy string) error {
	for _, attack := range s.settings.attacks {
		f, err := s.playOne(ctx, proxy, attack)
		if err != nil {
			return fmt.Errorf("%s under %s: %w", proxy, attack, err)
		}
		key := figureKey{proxy, attack}
		s.figures[key] = append(s.figures[key], f)
		s.line(strconv.Itoa(round), key, f)
	}
	return nil
}

func (s *stage) playOne(ctx context.Context, proxy, attack string) (f figure, err error) {
	p, err := s.place.startProxy(ctx, proxy)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if _, err := s.probe(ctx, 3*time.Second); err != nil { // warm
		return f, err
	}
	if f.before, err = s.probe(ctx, s.settings.measure); err != nil {
		return f, err
	}
	a, err := s.place.start(ctx, elsewhere(false), s.place.self, "attack", attack)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, a.stop()) }()
	if err := wait(ctx, settleTime); err != nil {
		return f, err
	}
	f.during, err = s.probe(ctx, s.settings.measure)
	return f, err
}

// probe asks as tenant B for a time, in a process of its own.
func (s *stage) probe(ctx context.Context, d time.Duration) (o observation, err error) {
	said, err := s.place.output(ctx, elsewhere(true), s.place.self, "probe", d.String(), s.place.cert)
	if err != nil {
		return o, err
	}
	return o, json.Unmarshal(said, &o)
}

// wait waits.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
