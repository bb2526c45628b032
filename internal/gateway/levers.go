package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatehouse/internal/admin"
	"gatehouse/internal/conf"
	"gatehouse/internal/metrics"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
)

const (
	// blocksMax bounds the networks that are blocked by command: what is for
	// long, or many, belongs into a set below block.
	blocksMax = 10_000
	// closedTenantsMax bounds the tenants that are suspended, and those in
	// maintenance by command.
	closedTenantsMax = 10_000
	// orderTimeMax: whoever is blocked for longer belongs into the files.
	orderTimeMax = 366 * 24 * time.Hour
	// whyBytesMax holds a sentence and the number of a ticket.
	whyBytesMax = 200
	// The widest networks that are blocked by one command. They are what an
	// access list may cover without a word about it.
	blockBits4Least = 8
	blockBits6Least = 20
)

// pull is an order, checked.
type pull struct {
	admin.LeverOrder
	prefix  netip.Prefix // of a block
	tenant  string       // of a drain
	backend string       // the same; "" for the whole tenant
	length  time.Duration
}

// CheckOrder says what is wrong with an order whatever is served.
func CheckOrder(o admin.LeverOrder) error {
	_, err := readOrder(o)
	return err
}

// readOrder reads an order.
func readOrder(o admin.LeverOrder) (p pull, err error) {
	p.LeverOrder = o
	switch o.Lever {
	case admin.Block, admin.Unblock:
		if p.prefix, err = ipallow.ParsePrefix(o.Of); err != nil {
			return p, err
		}
	case admin.Drain, admin.Undrain:
		if p.tenant, p.backend, err = readDrained(o.Of); err != nil {
			return p, err
		}
		p.Of = (&tenancy.DrainOrder{Tenant: p.tenant, Backend: p.backend}).Of()
	case admin.Suspend, admin.Resume, admin.MaintenanceOn, admin.MaintenanceOff:
	default:
		return p, fmt.Errorf("there is no lever %q", o.Lever)
	}
	if o.For != "" {
		var length conf.Duration
		if err := length.ParseConf(o.For); err != nil {
			return p, err
		}
		if p.length = time.Duration(length); p.length < time.Second || p.length > orderTimeMax {
			return p, fmt.Errorf("%q is no time for an order; expected 1s to %s", o.For, conf.Duration(orderTimeMax))
		}
	}
	if !utf8.ValidString(o.Why) || strings.ContainsFunc(o.Why, func(c rune) bool { return !unicode.IsPrint(c) }) || len(o.Why) > whyBytesMax {
		return p, fmt.Errorf("why is %q; expected one line of at most %d bytes", o.Why, whyBytesMax)
	}
	return p, p.complete()
}

// complete refuses what lacks something, and what is rather a mistake.
func (p *pull) complete() error {
	least := blockBits4Least
	if p.prefix.Addr().Is6() {
		least = blockBits6Least
	}
	switch {
	case p.Lever == admin.Block && p.length == 0:
		return errors.New("a block needs how long it holds, like --for 24h")
	case p.Lever == admin.Block && p.prefix.Bits() < least:
		return fmt.Errorf("%s is wider than a /%d; block parts of it, or suspend tenants", p.prefix, least)
	case (p.Lever == admin.Block || p.Lever == admin.Suspend) && strings.TrimSpace(p.Why) == "":
		return errors.New("the order needs a reason, for whoever finds it, like --why 'ticket 4711'")
	}
	return nil
}

// pullLever puts an order into force and has it kept. Whatever is wrong with
// files or the state folder does not hold it up.
func (g *gateway) pullLever(ctx context.Context, o admin.LeverOrder, actor string) (admin.LeverDone, error) {
	p, err := readOrder(o)
	if err != nil {
		return admin.LeverDone{}, err
	}
	done, number, err := g.enforce(&p, actor)
	attrs := []any{"actor", actor, "order", string(o.Lever), "of", o.Of, "for", o.For, "why", o.Why}
	if err != nil {
		g.log.WarnContext(ctx, "an operator's order is refused", append(attrs, "err", err)...)
		return admin.LeverDone{}, err
	}
	g.log.InfoContext(ctx, "an operator's order is in force", append(attrs, "generation", done.Generation)...)
	if err := g.levers.wait(ctx, number); err != nil {
		done.NotKept = err.Error()
	}
	return done, nil
}

// enforce puts an order into force.
func (g *gateway) enforce(p *pull, actor string) (done admin.LeverDone, number uint64, err error) {
	g.changing.Lock()
	defer g.changing.Unlock()
	now := time.Now()
	order := tenancy.Order{By: actor, At: now.UTC().Truncate(time.Second), Why: strings.TrimSpace(p.Why)}
	if p.length > 0 {
		order.Until = now.Add(p.length + time.Second - 1).UTC().Truncate(time.Second)
	}
	current := g.current.Load()
	number, err = g.levers.change(now, func(l *tenancy.Levers) error { return p.change(l, order, current) })
	if err != nil {
		return done, 0, err
	}
	next := *current
	next.table = current.table.WithLevers(g.levers.orders(), current.table.Generation()+1)
	g.current.Store(&next)
	g.server.Apply(next.table)
	g.metrics.Applied(next.table.Generation(), len(next.result.Quarantined))
	done = admin.LeverDone{Order: p.LeverOrder, Until: order.Until, Generation: next.table.Generation()}
	if p.Lever == admin.Drain {
		done.InFlight = g.server.InFlight(p.tenant, p.backend)
		done.Notes = drainNotes(next.table.Tenant(p.tenant), g.server.Pools(p.tenant), p.backend)
	}
	return done, number, nil
}

// change does to l what was ordered.
func (p *pull) change(l *tenancy.Levers, order tenancy.Order, current *loaded) error {
	switch p.Lever {
	case admin.Block, admin.Unblock:
		return p.changeBlocks(l, order)
	case admin.Drain, admin.Undrain:
		return p.drain(l, order, current)
	case admin.Suspend:
		return p.close(&l.Suspended, order, current)
	case admin.MaintenanceOn:
		return p.close(&l.Maintenance, order, current)
	case admin.Resume:
		return p.reopen(l.Suspended, "suspended")
	case admin.MaintenanceOff:
		return p.reopen(l.Maintenance, "in maintenance by command")
	}
	return nil
}

func (p *pull) changeBlocks(l *tenancy.Levers, order tenancy.Order) error {
	i := slices.IndexFunc(l.Blocks, func(b tenancy.BlockOrder) bool { return b.Prefix == p.prefix })
	switch {
	case p.Lever == admin.Unblock && i < 0:
		for _, b := range l.Blocks {
			if b.Prefix.Overlaps(p.prefix) && b.Holds(order.At.Unix()) {
				return fmt.Errorf("%s is not blocked by command as it stands there; %s is", p.prefix, b.Prefix)
			}
		}
		return fmt.Errorf("%s is not blocked by command", p.prefix)
	case p.Lever == admin.Unblock:
		l.Blocks = slices.Delete(l.Blocks, i, i+1)
	case i >= 0:
		l.Blocks[i].Order = order
	case len(l.Blocks) >= blocksMax:
		return fmt.Errorf("%d networks are blocked by command; put them into a set below block of the main file", len(l.Blocks))
	default:
		l.Blocks = append(l.Blocks, tenancy.BlockOrder{Prefix: p.prefix, Order: order})
	}
	return nil
}

// close notes that a tenant is closed.
func (p *pull) close(closed *map[string]tenancy.Order, order tenancy.Order, current *loaded) error {
	if err := current.knowsTenant(p.Of); err != nil {
		return err
	}
	if len(*closed) >= closedTenantsMax {
		return fmt.Errorf("%d tenants are closed by command already", len(*closed))
	}
	if *closed == nil {
		*closed = make(map[string]tenancy.Order)
	}
	(*closed)[p.Of] = order
	return nil
}

func (p *pull) reopen(closed map[string]tenancy.Order, how string) error {
	if _, ok := closed[p.Of]; !ok {
		return fmt.Errorf("tenant %q is not %s", p.Of, how)
	}
	delete(closed, p.Of)
	return nil
}

// knowsTenant refuses a tenant that there is not. It is known by its file, too:
// one whose file is broken may be closed as any other.
func (l *loaded) knowsTenant(id string) error {
	if l.table.Tenant(id) != nil || slices.Contains(l.files, id) {
		return nil
	}
	hint := ""
	if near := conf.Nearest(id, l.tenantIDs()); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Errorf("there is no tenant %q%s", id, hint)
}

// tenantIDs lists tenants that are served or have a file.
func (l *loaded) tenantIDs() []string {
	ids := slices.Clone(l.files)
	for _, t := range l.table.Tenants() {
		ids = append(ids, t.ID())
	}
	return ids
}

// leverStatus lists what operators have ordered and what is in force.
func (g *gateway) leverStatus() []admin.LeverStatus {
	held := inForce(g.levers.orders(), time.Now())
	list := []admin.LeverStatus{}
	add := func(lever admin.Lever, of string, o tenancy.Order) {
		list = append(list, admin.LeverStatus{Lever: lever, Of: of, By: o.By, At: o.At, Why: o.Why, Until: o.Until})
	}
	slices.SortFunc(held.Blocks, func(a, b tenancy.BlockOrder) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
	for _, b := range held.Blocks {
		add(admin.Block, b.Prefix.String(), b.Order)
	}
	for _, id := range slices.Sorted(maps.Keys(held.Suspended)) {
		add(admin.Suspend, id, held.Suspended[id])
	}
	for _, id := range slices.Sorted(maps.Keys(held.Maintenance)) {
		add(admin.MaintenanceOn, id, held.Maintenance[id])
	}
	slices.SortFunc(held.Drained, func(a, b tenancy.DrainOrder) int { return cmp.Compare(a.Of(), b.Of()) })
	for _, d := range held.Drained {
		add(admin.Drain, d.Of(), d.Order)
	}
	return list
}

// leverCounts counts what is in force.
func (g *gateway) leverCounts() metrics.LeverCounts {
	held := inForce(g.levers.orders(), time.Now())
	return metrics.LeverCounts{
		metrics.LeverBlock: len(held.Blocks), metrics.LeverSuspend: len(held.Suspended),
		metrics.LeverMaintenance: len(held.Maintenance), metrics.LeverDrain: len(held.Drained),
	}
}

// use has the data plane decide by a tree, with what operators have ordered and
// what live sources list laid over it, and returns it as it is in use.
func (g *gateway) use(next *loaded) *loaded {
	g.changing.Lock()
	defer g.changing.Unlock()
	generation := next.table.Generation()
	if former := g.current.Load(); former != nil {
		generation = former.table.Generation() + 1 // an order may have come meanwhile
	}
	laid := *next
	laid.table = next.table.WithLevers(g.levers.orders(), generation).WithLive(g.sets.Live(), generation)
	g.current.Store(&laid)
	g.server.Apply(laid.table)
	return &laid
}
