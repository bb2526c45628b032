package acme

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"gatehouse/internal/store"
)

const (
	// hostsPrefix is where the state of hosts lies in the store.
	hostsPrefix = "acme/hosts/"

	// hostShards is into how many blobs it is divided: with 100,000 hosts one
	// has 300 KiB, and ten thousand changes in a minute are at most so many
	// writes.
	hostShards = 64

	// saveGap is the shortest time between two writes of what changed. What a
	// kill loses of it is when to try again; that too much is ordered then, the
	// budget prevents, which is stored before each order.
	saveGap = 10 * time.Second

	// saveLazily is how often changes are written that cost nobody anything to
	// find again: when to ask for a window.
	saveLazily = 30 * time.Minute

	// saveShare keeps the time that is spent on saving below a tenth.
	saveShare = 10
)

// savedHost is the state of a host as it is stored. Hosts of which there is
// nothing to say are not.
type savedHost struct {
	Name    string     `json:"n"`
	Tenant  string     `json:"t,omitempty"`
	Served  bool       `json:"v,omitempty"`
	Asked   bool       `json:"a,omitempty"`
	Revoked bool       `json:"r,omitempty"`
	Since   time.Time  `json:"s,omitzero"`
	Serial  string     `json:"i,omitempty"` // of the certificate that Window is about
	Window  *ariWindow `json:"w,omitempty"`

	Fails   int       `json:"f,omitempty"`
	Cause   cause     `json:"c,omitempty"`
	Words   string    `json:"e,omitempty"`
	At      time.Time `json:"ea,omitzero"`
	Next    time.Time `json:"en,omitzero"`
	Via     int       `json:"ev,omitempty"`
	Because string    `json:"eb,omitempty"`

	State  State     `json:"p,omitempty"`
	Detail string    `json:"pd,omitempty"`
	Record string    `json:"pr,omitempty"`
	Looked time.Time `json:"pa,omitzero"`
	Look   time.Time `json:"pn,omitzero"`
	Bad    int       `json:"pb,omitempty"`
	Lost   bool      `json:"pl,omitempty"`

	PaidCA string    `json:"o,omitempty"`
	Paid   time.Time `json:"oa,omitzero"`
}

// shards notes which blobs are behind. The Manager's lock guards it.
type shards struct {
	behind [hostShards]bool
	lazily [hostShards]bool
	wrote  time.Time // when lazy ones were written last
}

func hostShard(name string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return int(h.Sum32() % hostShards)
}

func hostShardKey(i int) string { return fmt.Sprintf("%s%02d", hostsPrefix, i) }

func (s *shards) touch(e *entry)       { s.behind[hostShard(e.Name)] = true }
func (s *shards) touchLazily(e *entry) { s.lazily[hostShard(e.Name)] = true }

// take returns which blobs to write, and counts them as written.
func (s *shards) take(now time.Time, all bool) (list [hostShards]bool, any bool) {
	lazy := all || now.Sub(s.wrote).Abs() >= saveLazily
	if lazy {
		s.wrote = now
	}
	for i := range list {
		if s.behind[i] || lazy && s.lazily[i] {
			list[i], any = true, true
			s.behind[i], s.lazily[i] = false, false
		}
	}
	return list, any
}

// save returns what is stored of a host, or nil.
func (e *entry) save() *savedHost {
	r := &savedHost{
		Name: e.Name, Tenant: e.Tenant, Served: e.served, Asked: e.asked, Revoked: e.revoked,
		Since: e.since, PaidCA: e.paid.account, Paid: e.paid.at,
	}
	if e.held != nil && !e.held.window.Again.IsZero() {
		w := e.held.window
		r.Serial, r.Window = e.held.serial, &w
	}
	if t := e.trouble; t != nil {
		r.Fails, r.Cause, r.Words, r.At, r.Next, r.Via, r.Because = t.fails, t.cause, t.words, t.again.set, t.again.next, t.via, t.because
	}
	if c := e.check; c != nil && c.state != "" {
		r.State, r.Detail, r.Record, r.Looked, r.Look, r.Bad, r.Lost = c.state, c.detail, c.record, c.again.set, c.again.next, c.bad, c.lost
	}
	if *r == (savedHost{Name: e.Name, Tenant: e.Tenant}) {
		return nil
	}
	return r
}

// restore is the reverse of save.
func (e *entry) restore(r *savedHost) {
	e.served, e.asked, e.revoked, e.since = r.Served, r.Asked, r.Revoked, r.Since
	e.paid = payment{r.PaidCA, r.Paid}
	if e.held != nil && r.Window != nil && r.Serial == e.held.serial {
		e.held.setWindow(*r.Window)
	}
	if !r.At.IsZero() {
		e.trouble = &trouble{r.Fails, r.Cause, r.Words, again{r.Next, r.At}, r.Via, r.Because}
	}
	if r.State != "" {
		e.check = &check{finding: finding{state: r.State, detail: r.Detail, record: r.Record}, again: again{r.Look, r.Looked}, bad: r.Bad, lost: r.Lost}
	}
}

// saver writes what changed, until ctx is done.
func (m *Manager) saver(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-m.unsaved:
		}
		began := time.Now()
		m.save(ctx, false)
		if wait(ctx, max(saveGap, saveShare*time.Since(began))) != nil {
			return
		}
	}
}

// save writes the state of hosts, and what the budget has not written itself.
// It stops at the first failure: what is full for one blob is full for all.
func (m *Manager) save(ctx context.Context, all bool) {
	m.mu.Lock()
	now := m.o.Now()
	list, any := m.saved.take(now, all)
	var records [hostShards][]*savedHost
	if any {
		for _, e := range m.hosts {
			if i := hostShard(e.Name); list[i] {
				if r := e.save(); r != nil {
					records[i] = append(records[i], r)
				}
			}
		}
	}
	m.mu.Unlock()
	err := m.budget.commitAll(ctx, now.UnixNano())
	for i := range list {
		if list[i] && err == nil {
			err = m.saveShard(ctx, i, records[i])
		}
		if list[i] && err != nil {
			m.mu.Lock()
			m.saved.behind[i] = true
			m.mu.Unlock()
		}
	}
	if err != nil && ctx.Err() == nil {
		m.mu.Lock()
		m.diskFailed(err, m.o.Now())
		m.mu.Unlock()
	}
}

func (m *Manager) saveShard(ctx context.Context, i int, records []*savedHost) error {
	if len(records) == 0 {
		return m.o.Store.Delete(ctx, hostShardKey(i))
	}
	text, err := json.Marshal(records)
	if err != nil {
		return fmt.Errorf("write the state of hosts: %w", err)
	}
	if err := m.o.Store.Put(ctx, hostShardKey(i), text); err != nil {
		return fmt.Errorf("store the state of hosts: %w", err)
	}
	return nil
}

// loadHosts reads the state of hosts. What is damaged is set aside: those hosts
// begin anew.
func (m *Manager) loadHosts(ctx context.Context) (all []*savedHost, err error) {
	for i := range hostShards {
		key := hostShardKey(i)
		text, err := store.ReadOrSetAside(ctx, m.o.Store, m.o.Log, key)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the state of hosts: %w", err)
		}
		var records []*savedHost
		if err := json.Unmarshal(text, &records); err != nil {
			cause := &store.DamagedError{Key: key, Why: err.Error()}
			if err := store.SetAsideDamaged(ctx, m.o.Store, m.o.Log, key, cause); err != nil {
				return nil, err
			}
			continue
		}
		all = append(all, records...)
	}
	return all, nil
}

// restoreAll is the reverse of save for all hosts.
func (m *Manager) restoreAll(records []*savedHost) {
	for _, r := range records {
		if r == nil || r.Name == "" {
			continue
		}
		e := m.hosts[r.Name]
		if e == nil {
			e = m.newEntry(Host{Name: r.Name, Tenant: r.Tenant})
		}
		e.restore(r)
	}
}
