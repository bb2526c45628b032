package acme

import (
	"testing"

	"gatehouse/internal/metrics"
)

// BenchmarkSetHosts is a reload of a table of 100,000 hosts that did not change.
func BenchmarkSetHosts(b *testing.B) {
	k := keep(b)
	hosts := city(100_000)
	k.m.Configure(testSettings())
	k.m.SetHosts(hosts)
	for b.Loop() {
		k.m.SetHosts(hosts)
	}
}

// BenchmarkScan is the look at 100,000 hosts, each minute: none is due.
func BenchmarkScan(b *testing.B) {
	k := keep(b)
	k.m.Configure(testSettings())
	k.ca.suggests = windowAt(0.6, 0.7)
	k.stock(city(100_000))
	k.m.scan(k.now(), true)
	for b.Loop() {
		k.m.scan(k.now(), false)
	}
}

// BenchmarkHosts is the status of 100,000 hosts: one part has certificates, the
// other waits for the budget.
func BenchmarkHosts(b *testing.B) {
	for name, held := range map[string]int{"held": 100_000, "queued": 0} {
		b.Run(name, func(b *testing.B) {
			k := keep(b)
			k.m.Configure(testSettings())
			hosts := city(100_000)
			if held > 0 {
				k.stock(hosts)
			} else {
				k.m.SetHosts(hosts)
			}
			k.m.scan(k.now(), true)
			for b.Loop() {
				k.m.Hosts()
			}
		})
	}
}

// BenchmarkMeasure is what the metrics of 100,000 hosts cost each minute.
func BenchmarkMeasure(b *testing.B) {
	k := keep(b)
	k.m.o.Metrics = metrics.New().ACME()
	k.m.Configure(testSettings())
	k.stock(city(100_000))
	for b.Loop() {
		k.m.measure(k.now())
	}
}

// BenchmarkLoad reads 10,000 stored certificates and hands them out.
func BenchmarkLoad(b *testing.B) {
	k := keep(b)
	k.stock(city(10_000))
	for b.Loop() {
		k.again()
		k.load()
	}
}

// BenchmarkChallenge is what a handshake pays while nothing is pending, and
// while the Manager's lock is held.
func BenchmarkChallenge(b *testing.B) {
	k := keep(b)
	k.m.mu.Lock()
	defer k.m.mu.Unlock()
	for b.Loop() {
		if k.m.TLSALPN01("pa.acme.example") != nil {
			b.Fatal("a challenge is answered that nobody asked")
		}
		if _, ok := k.m.HTTP01("pa.acme.example", "token"); ok {
			b.Fatal("a challenge is answered that nobody asked")
		}
	}
}
