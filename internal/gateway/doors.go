package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/ipallow"
	"gatehouse/proxy"
)

// socketPathMax is what the kernel takes as the path of a Unix socket, its final
// zero left out (unix(7)).
const socketPathMax = 107

// doors are the sockets that were opened.
type doors struct {
	traffic []proxy.Listener
	admin   []func(ctx context.Context, s *admin.Server) error
	opened  []net.Listener
}

// close closes what was opened; it may be closed already by whoever served it.
func (d *doors) close() {
	for _, l := range d.opened {
		_ = l.Close()
	}
}

// serve has a socket served as an operators' door.
func (d *doors) serve(l net.Listener, how func(context.Context, *admin.Server, net.Listener) error) {
	d.opened = append(d.opened, l)
	d.admin = append(d.admin, func(ctx context.Context, s *admin.Server) error { return how(ctx, s, l) })
}

// open opens every socket, or none.
func (g *gateway) open(ctx context.Context, first *loaded) (d doors, err error) {
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	for _, rules := range g.listeners {
		l, err := proxy.Listen(ctx, rules)
		if err != nil {
			return d, fmt.Errorf("%s: %w", g.options.Config, err)
		}
		d.opened = append(d.opened, l.Socket)
		d.traffic = append(d.traffic, l)
	}
	if err := g.openSocket(&d); err != nil {
		return d, err
	}
	if err := g.openHealth(ctx, &d, first); err != nil {
		return d, err
	}
	return d, g.openAdmin(ctx, &d, first)
}

func (g *gateway) openSocket(d *doors) error {
	path := SocketIn(g.state.files.Dir())
	if len(path) > socketPathMax {
		return fmt.Errorf("state %s: the path of the command socket in it would have %d bytes; the system takes %d: choose a shorter one",
			g.state.files.Dir(), len(path), socketPathMax)
	}
	l, err := admin.ListenSocket(path, g.log)
	if err != nil {
		return err
	}
	d.serve(l, func(ctx context.Context, s *admin.Server, l net.Listener) error { return s.ServeSocket(ctx, l) })
	return nil
}

func (g *gateway) openHealth(ctx context.Context, d *doors, first *loaded) error {
	spec := first.config.Listen.Health
	if spec == nil {
		return nil
	}
	l, err := g.listen(ctx, "listen.health", spec.Address.V)
	if err != nil {
		return err
	}
	admits := g.admits(first, healthList)
	d.serve(l, func(ctx context.Context, s *admin.Server, l net.Listener) error {
		return s.ServeHealth(ctx, l, admits)
	})
	return nil
}

func (g *gateway) openAdmin(ctx context.Context, d *doors, first *loaded) error {
	spec := first.config.Listen.Admin
	if spec == nil {
		return nil
	}
	guard, err := g.guard(spec, g.admits(first, adminList))
	if err != nil {
		return err
	}
	l, err := g.listen(ctx, "listen.admin", spec.Address.V)
	if err != nil {
		return err
	}
	d.serve(l, func(ctx context.Context, s *admin.Server, l net.Listener) error { return s.ServeAdmin(ctx, l, guard) })
	return nil
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
func (g *gateway) guard(spec *admin.Spec, admits func(netip.Addr) bool) (admin.Guard, error) {
	host, _, _ := net.SplitHostPort(spec.Address.V) // checked where it was decoded
	guard := admin.Guard{Host: host, Admits: admits}
	if spec.Token == nil {
		return guard, nil
	}
	token, err := readSecret(spec.Token, g.loader.base())
	if err != nil {
		return guard, fmt.Errorf("%s: listen.admin.token: %w", g.options.Config, err)
	}
	if guard.Token, err = parseToken(token); err != nil {
		return guard, fmt.Errorf("%s: listen.admin.token: %w", g.options.Config, err)
	}
	return guard, nil
}

func healthList(l *loaded) *ipallow.List { return l.admission.health }
func adminList(l *loaded) *ipallow.List  { return l.admission.admin }

// admits returns a test by the list of the tree in use at the time it is asked,
// and by what is blocked then, in the files or by command, which beats it. Where a
// reload took the list away, together with its door perhaps, the one of the start
// holds on: the socket stays open until the restart, and must not admit everybody
// meanwhile.
func (g *gateway) admits(first *loaded, list func(*loaded) *ipallow.List) func(netip.Addr) bool {
	atStart := list(first)
	return func(a netip.Addr) bool {
		current, now := g.current.Load(), time.Now().Unix()
		if current.table.Blocks(a, now) {
			return false
		}
		l := list(current)
		if l == nil {
			l = atStart
		}
		return l == nil || l.ContainsAt(a, current.table.At(now))
	}
}

// startAdmin serves the doors for operators. One that fails reports into failed.
func (g *gateway) startAdmin(ctx context.Context, parts *sync.WaitGroup, d doors, failed chan<- error) {
	server := admin.New(admin.House{
		Ready:        g.ready,
		Status:       g.status,
		Explain:      func(q admin.ExplainQuery) (admin.Explanation, error) { return explain(g.current.Load().table, q) },
		Reload:       g.reload,
		RootPEM:      g.issuer.rootPEM,
		Certificates: g.certificateDoors(),
		Why:          g.why,
		Levers:       admin.Levers{Pull: g.pullLever, List: g.leverStatus, Progress: g.drainProgress},
		Keys:         admin.KeyRing{Status: g.keysStatus, Rotate: g.rotateKeys, Progress: g.keysProgress},
		Metrics:      g.metrics.Handler(),
	}, g.log)
	for _, serve := range d.admin {
		parts.Go(func() {
			if err := serve(ctx, server); err != nil {
				failed <- err
			}
		})
	}
}
