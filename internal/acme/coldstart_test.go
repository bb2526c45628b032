package acme

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"gatehouse/internal/store/file"
	"gatehouse/tlsconfig"
)

// coldStart lets a Manager issue certificates from a real authority into a
// store on disk, and returns how long that took.
func coldStart(t testing.TB, hosts int) time.Duration {
	w := theWorld(t)
	blobs, err := file.Open(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = blobs.Close() }()
	m := New(Options{
		Store: blobs, Log: slog.New(slog.DiscardHandler), Now: time.Now, Decoded: tlsconfig.NewDecoded(16),
		Publish: func(map[string][]*tlsconfig.Certificate) {},
	})
	w.answer(t, m.challenges)
	if err := m.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := w.settingsFor(authorityAt(t, w.ca.Directory, w.ca.Root))
	s.budget = lifted().budget
	m.Configure(s)
	wanted := make([]Host, hosts)
	for i := range wanted {
		wanted[i] = Host{Name: fmt.Sprintf("c%d-%d.hosted.example", i, time.Now().UnixNano()), Tenant: "acme"}
	}
	m.SetHosts(wanted)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- m.Run(ctx) }()
	for valid := 0; valid < hosts; {
		if err := wait(ctx, 50*time.Millisecond); err != nil || time.Since(began) > 5*time.Minute {
			t.Fatalf("%d of %d hosts have certificates: %v", valid, hosts, err)
		}
		valid = 0
		for _, h := range m.Hosts() {
			if h.State == StateValid {
				valid++
			}
		}
	}
	took := time.Since(began)
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return took
}

func TestColdStart(t *testing.T) {
	coldStart(t, 8)
}

// BenchmarkColdStart is a cold start with a real authority and no budget to
// speak of; it reports certificates a minute.
func BenchmarkColdStart(b *testing.B) {
	const hosts = 1000
	for b.Loop() {
		b.ReportMetric(hosts/coldStart(b, hosts).Minutes(), "certificates/min")
	}
}
