package admin

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// revokeEvery is how often open connections are judged again: what a block or a
// narrower list no longer admits is cut within a second.
const revokeEvery = 500 * time.Millisecond

// revoker cuts the open connections of a door whose addresses are admitted no
// longer.
type revoker struct {
	admits func(netip.Addr) bool

	mu   sync.Mutex
	open map[net.Conn]bool // no more than connectionsMax
}

// watch is a server's ConnState.
func (r *revoker) watch(c net.Conn, state http.ConnState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch state {
	case http.StateNew:
		r.open[c] = true
	case http.StateClosed, http.StateHijacked:
		delete(r.open, c)
	}
}

// run cuts until ctx ends.
func (r *revoker) run(ctx context.Context) {
	ticker := time.NewTicker(revokeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			r.cut()
		case <-ctx.Done():
			return
		}
	}
}

func (r *revoker) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.open {
		if !admitsPeer(r.admits, c.RemoteAddr().String()) {
			_ = c.Close() // whoever it is has no say in it
		}
	}
}

// revoking has the connections of server judged again and again; stop ends that.
// nil admits all.
func revoking(ctx context.Context, server *http.Server, admits func(netip.Addr) bool) (stop func()) {
	if admits == nil {
		return func() {}
	}
	r := &revoker{admits: admits, open: make(map[net.Conn]bool)}
	server.ConnState = r.watch
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { r.run(ctx) })
	return func() { cancel(); running.Wait() }
}

// admitsPeer asks admits about the address of a connection, as net and net/http
// write it.
func admitsPeer(admits func(netip.Addr) bool, address string) bool {
	peer, err := netip.ParseAddrPort(address)
	return err == nil && admits(peer.Addr().Unmap())
}
