package acme

import (
	"context"
	"fmt"
	"runtime"
	"sync"
)

// Load reads what the store holds and hands out its certificates, once, before
// Run and the first SetHosts. What is damaged is set aside, named in the log
// and ordered again. Its errors are about a store that cannot be read, or that
// another key has sealed.
func (m *Manager) Load(ctx context.Context) error {
	found, err := m.shelf.all(ctx)
	if err != nil {
		return fmt.Errorf("read certificates: %w", err)
	}
	certificates := m.holdAll(ctx, found)
	if err := m.budget.load(ctx); err != nil {
		return err
	}
	orders, err := m.engine.unfinished(ctx)
	if err != nil {
		return err
	}
	records, err := m.loadHosts(ctx)
	if err != nil {
		return err
	}
	m.mu.Lock()
	for i, h := range certificates {
		if h != nil {
			e := m.newEntry(Host{Name: found[i].Name, Tenant: found[i].Tenant})
			e.held, e.served = h, true
			m.publishLater(e.Tenant)
		}
	}
	m.restoreAll(records)
	m.resume(orders)
	m.mu.Unlock()
	m.publish()
	return nil
}

// holdAll parses certificates on all processors. One that cannot be served is
// left out, and its host gets another.
func (m *Manager) holdAll(ctx context.Context, found []*bundle) []*held {
	out := make([]*held, len(found))
	var work sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		work.Go(func() {
			for i := w; i < len(found); i += workers {
				h, err := hold(found[i], m.o.Decoded)
				if err != nil {
					m.o.Log.WarnContext(ctx, "a stored certificate cannot be served; another is ordered", "host", found[i].Name, "cause", err)
					continue
				}
				out[i] = h
			}
		})
	}
	work.Wait()
	return out
}

// resume notes the orders that another process left: they are paid for.
func (m *Manager) resume(orders map[string][]string) {
	now := m.o.Now()
	for account, names := range orders {
		for _, name := range names {
			e := m.hosts[name]
			if e == nil {
				e = m.newEntry(Host{Name: name})
			}
			if e.paid.account == "" {
				e.paid = payment{account, now}
			}
		}
	}
}
