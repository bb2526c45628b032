package proxy

import (
	"context"
	"sync"

	"gatehouse/internal/limit"
	"gatehouse/tenancy"
)

// lifetime is what Serve and Shutdown tell each other.
type lifetime struct {
	stopOnce, cutOnce sync.Once
	stop              chan struct{} // closed: accept nothing more, drain
	cut               chan struct{} // closed: the drain's time is over
	done              chan struct{} // closed: Serve has returned
	open              tally
}

func (l *lifetime) init() {
	l.stop, l.cut, l.done = make(chan struct{}), make(chan struct{}), make(chan struct{})
}

// Announce tells clients that the server goes down, while it still accepts and
// serves: each answer over HTTP/1.1 says "Connection: close", HTTP/2
// connections get GOAWAY when their streams have ended. Load balancers use the
// time to look elsewhere.
func (s *Server) Announce() {
	if s.announced.Swap(true) {
		return
	}
	s.http2.goAway()
}

// Shutdown stops accepting, closes connections that carry no request, and waits
// for the others. When ctx ends first, it cuts what is left and returns the
// context's error. Serve returns before Shutdown does.
func (s *Server) Shutdown(ctx context.Context) error {
	s.Announce()
	s.lifetime.stopOnce.Do(func() { close(s.lifetime.stop) })
	select {
	case <-s.lifetime.done:
		return nil
	case <-ctx.Done():
	}
	s.lifetime.cutOnce.Do(func() { close(s.lifetime.cut) })
	<-s.lifetime.done
	return ctx.Err()
}

// Serve accepts connections on the listeners and serves them by the table in
// use until Shutdown is called; it returns when everything has ended. When ctx
// ends, nothing is waited for. A table must have been applied. Serve is called
// once; it closes the listeners.
func (s *Server) Serve(ctx context.Context, listeners []Listener) error {
	defer close(s.lifetime.done)
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	shakers := make(map[string]*limit.Keyed, len(listeners))
	for _, l := range listeners {
		shakers[l.Rules.Name] = limit.NewKeyed(&s.room)
	}
	s.shakers.Store(&shakers)
	var running sync.WaitGroup
	running.Go(func() { s.sweeper(background) })
	running.Go(func() { _ = s.checks.Run(background) })
	running.Go(func() { _ = s.names.Run(background) })
	running.Go(func() { s.processors.run(background) })
	go s.access.run() // its destination may block for ever

	var accepting sync.WaitGroup
	for _, l := range listeners {
		accepting.Go(func() { s.accept(l) })
	}
	select {
	case <-ctx.Done():
	case <-s.lifetime.stop:
	}
	s.announced.Store(true)
	s.stopping.Store(true)
	for _, l := range listeners {
		_ = l.Socket.Close()
	}
	accepting.Wait()
	s.drain(ctx)
	s.copies.end()
	stopBackground()
	running.Wait()
	s.access.close()
	s.closePools()
	return ctx.Err()
}

// drain closes idle connections, waits for the others, and cuts them when ctx
// or the time of Shutdown ends.
func (s *Server) drain(ctx context.Context) {
	s.http2.goAway()
	s.registry.each((*watch).release)
	select {
	case <-s.lifetime.open.none():
		return
	case <-ctx.Done():
	case <-s.lifetime.cut:
	}
	s.registry.each(func(w *watch) { w.cutAll(tenancy.Draining) })
	<-s.lifetime.open.none()
}

func (s *Server) closePools() {
	snap := s.snapshot()
	if snap == nil {
		return
	}
	for _, r := range snap.running {
		r.closeUnless(nil)
	}
}
