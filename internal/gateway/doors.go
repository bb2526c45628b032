package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/ipallow"
	"gatehouse/proxy"
)

// open opens every socket, or none.
func (g *gateway) open(ctx context.Context, first *loaded) (d doors, err error) {
	var opened []net.Listener
	d.close = func() {
		for _, l := range opened {
			_ = l.Close() // it may be closed by whoever served it
		}
	}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	for _, rules := range first.table.Listeners() {
		l, err := proxy.Listen(ctx, rules)
		if err != nil {
			return d, fmt.Errorf("%s: %w", g.options.Config, err)
		}
		opened = append(opened, l.Socket)
		d.traffic = append(d.traffic, l)
	}
	socket, err := admin.ListenSocket(socketPath(g.state.files.Dir()), g.log)
	if err != nil {
		return d, err
	}
	opened = append(opened, socket)
	d.admin = append(d.admin, func(ctx context.Context, s *admin.Server) error { return s.ServeSocket(ctx, socket) })
	if spec := g.started.Listen.Health; spec != nil {
		l, err := g.listen(ctx, "listen.health", spec.Address.V)
		if err != nil {
			return d, err
		}
		opened = append(opened, l)
		d.admin = append(d.admin, func(ctx context.Context, s *admin.Server) error { return s.ServeHealth(ctx, l, g.admits(healthList)) })
	}
	if spec := g.started.Listen.Admin; spec != nil {
		guard, err := g.guard(spec)
		if err != nil {
			return d, err
		}
		l, err := g.listen(ctx, "listen.admin", spec.Address.V)
		if err != nil {
			return d, err
		}
		opened = append(opened, l)
		d.admin = append(d.admin, func(ctx context.Context, s *admin.Server) error { return s.ServeAdmin(ctx, l, guard) })
	}
	return d, nil
}

func (g *gateway) listen(ctx context.Context, key, address string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		var number syscall.Errno
		if errors.As(err, &number) {
			err = number
		}
		return nil, fmt.Errorf("%s: %s: listen on %q: %w", g.options.Config, key, address, err)
	}
	return l, nil
}

// guard compiles who may use the admin listener.
func (g *gateway) guard(spec *admin.Spec) (admin.Guard, error) {
	host, _, _ := net.SplitHostPort(spec.Address.V) // checked where it was decoded
	guard := admin.Guard{Host: host, Admits: g.admits(adminList)}
	if spec.Token == nil {
		return guard, nil
	}
	token, err := readSecret(spec.Token, g.loader.base())
	if err != nil {
		return guard, fmt.Errorf("%s: listen.admin.token: %w", g.options.Config, err)
	}
	guard.Token = strings.TrimSpace(string(token))
	if guard.Token == "" {
		return guard, fmt.Errorf("%s: listen.admin.token: it is empty; put a long random word there", g.options.Config)
	}
	return guard, nil
}

func healthList(l *loaded) *ipallow.List { return l.admission.health }
func adminList(l *loaded) *ipallow.List  { return l.admission.admin }

// admits returns a test by the list of the tree in use at the time it is asked.
func (g *gateway) admits(list func(*loaded) *ipallow.List) func(netip.Addr) bool {
	return func(a netip.Addr) bool {
		l := list(g.current.Load())
		return l == nil || l.Contains(a, time.Now().Unix())
	}
}

// startAdmin serves the doors for operators. One that fails reports into failed.
func (g *gateway) startAdmin(ctx context.Context, parts *sync.WaitGroup, d doors, failed chan<- error) {
	server := admin.New(admin.House{
		Ready:   g.ready,
		Status:  g.status,
		Explain: func(q admin.ExplainQuery) (admin.Explanation, error) { return explain(g.current.Load().table, q) },
		Reload:  g.reload,
		RootPEM: g.issuer.rootPEM,
		Metrics: g.metrics.Handler(),
	}, g.log)
	for _, serve := range d.admin {
		parts.Go(func() {
			if err := serve(ctx, server); err != nil {
				failed <- err
			}
		})
	}
}
