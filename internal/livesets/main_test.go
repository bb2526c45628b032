package livesets

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gatehouse/internal/conf"
	"gatehouse/internal/store"
	"gatehouse/ipallow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// written is a file with sets and a list of those who come in by them.
type written struct {
	Sets  conf.Map[ipallow.SetSpec]    `conf:"sets"`
	Allow conf.List[ipallow.EntrySpec] `conf:"allow"`
}

// lists compiles the sets of an owner, and the lists that admit and that refuse
// whom they name.
func lists(t *testing.T, owner, entries string) (admits, refuses *ipallow.List) {
	t.Helper()
	var r conf.Report
	var f written
	conf.Decode("t.yaml", []byte("sets:\n  live:\n    "+strings.ReplaceAll(entries, "\n", "\n    ")+"\nallow: [set:live]\n"), &f, &r)
	origin := &ipallow.Origin{Owner: owner}
	sets := origin.CompileSets(f.Sets, nil, &r)
	admits, refuses = sets.Compile(f.Allow, &r), sets.CompileRefusing(f.Allow, &r)
	if r.Faults() > 0 {
		t.Fatal(r.Findings())
	}
	return admits, refuses
}

// source compiles the one source of an entry.
func source(t *testing.T, entry string) *ipallow.Source {
	t.Helper()
	admits, _ := lists(t, "", "- "+entry)
	return admits.Sources()[0]
}

// names is a resolver that a test writes.
type names struct {
	mu    sync.Mutex
	known map[string]string // addresses by name, with blanks between; "hang" never answers
	asked map[string]int
}

func (n *names) set(name, addresses string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil {
		n.known = make(map[string]string)
	}
	n.known[name] = addresses
}

func (n *names) times(name string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[name]
}

func (n *names) EveryAddress(ctx context.Context, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	if n.asked == nil {
		n.asked = make(map[string]int)
	}
	n.asked[host]++
	text, ok := n.known[host]
	n.mu.Unlock()
	switch {
	case !ok:
		return nil, errors.New("no such name")
	case text == "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var found []netip.Addr
	for word := range strings.FieldsSeq(text) {
		found = append(found, netip.MustParseAddr(word))
	}
	return found, nil
}

// house is a keeper that a test runs.
type house struct {
	*Keeper
	names names
	log   bytes.Buffer // read after end alone
	blobs store.Store
	end   func()

	mu        sync.Mutex
	published []time.Time
}

// open makes a keeper that starts with what blobs hold.
func open(t *testing.T, blobs store.Store) *house {
	t.Helper()
	h := &house{blobs: blobs}
	h.Keeper = New(Options{
		Store: blobs, Log: slog.New(slog.NewTextHandler(&h.log, nil)), Resolver: &h.names, Base: t.TempDir(),
		MayDial: func(netip.AddrPort) error { return nil },
		Publish: func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.published = append(h.published, time.Now())
			h.Live()
		},
	})
	if err := h.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// run runs the keeper until end is called.
func (h *house) run(t *testing.T, sources ...*ipallow.Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = h.Run(ctx) }()
	h.end = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(h.end)
	h.SetSources(t.Context(), sources)
	h.Live()
}

// lists reports whether a list has an address now.
func (h *house) lists(l *ipallow.List, address string) bool {
	return l.ContainsAt(netip.MustParseAddr(address), ipallow.Moment{Now: time.Now().Unix(), Live: h.Live()})
}

func (h *house) state() string { return h.Status()[0].State }

func (h *house) publications() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.published)
}
