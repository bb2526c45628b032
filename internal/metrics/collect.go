package metrics

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// collector turns the counters of a Set into samples while a scrape runs.
type collector Set

// Describe sends nothing: which series exist depends on the table, so the
// registry is to check each scrape instead.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends the samples.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	c.mu.Lock()
	tenants := slices.Collect(maps.Values(c.tenants))
	listeners := slices.Collect(maps.Values(c.listeners))
	expiry := maps.Clone(c.expiry)
	c.mu.Unlock()

	e := emitter{out: out, reasons: c.reasons}
	e.logs(&c.logs)
	e.counter(fieldsDropped, c.fieldsDropped.Load())
	e.counter(panics, c.panics.Load())
	e.state(&c.state)
	e.levers(&c.levers)
	e.scarce(&c.scarce)
	e.lookups(&c.lookups)
	e.encoders(&c.encoders)
	e.gauge(generation, float64(c.generation.Load()))
	e.gauge(quarantinedTenants, float64(c.quarantined.Load()))
	e.gauge(tenantsServed, float64(len(tenants)))
	for result := range c.reloads {
		e.counter(reloads, c.reloads[result].Load(), ReloadResults[result])
	}
	for tenant, notAfter := range expiry {
		e.gauge(certificateExpiry, float64(notAfter.Unix()), tenant)
	}
	e.acme(&c.acme)
	e.liveSets(&c.live)
	for _, l := range listeners {
		e.listener(l)
	}
	for _, t := range tenants {
		e.tenant(t)
	}
}

// emitter sends samples to one scrape.
type emitter struct {
	out     chan<- prometheus.Metric
	reasons []string
}

func (e emitter) counter(d *prometheus.Desc, n uint64, labels ...string) {
	e.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

// moved sends a counter unless it is still at zero.
func (e emitter) moved(d *prometheus.Desc, n uint64, labels ...string) {
	if n > 0 {
		e.counter(d, n, labels...)
	}
}

func (e emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	e.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (e emitter) listener(l *Listener) {
	e.counter(listenerAccepted, l.accepted.Load(), l.name)
	e.gauge(listenerOpen, float64(l.open.Load()), l.name)
	e.counter(listenerHandshakes, l.handshakes.Load(), l.name)
	e.counter(listenerHandshakeErrors, l.handshakeErrors.Load(), l.name)
	e.moved(listenerAcceptErrors, l.acceptErrors.Load(), l.name)
	for i, reason := range e.reasons {
		e.moved(listenerRefusals, l.refusals[i].Load(), l.name, reason)
	}
}

func (e emitter) tenant(t *Tenant) {
	for class := 1; class < len(classes); class++ {
		e.moved(tenantRequests, t.classes[class].Load(), t.id, classes[class])
	}
	for i, reason := range e.reasons {
		e.moved(tenantRefusals, t.refusals[i].Load(), t.id, reason)
	}
	e.moved(tenantBytesIn, t.bytesIn.Load(), t.id)
	e.moved(tenantBytesOut, t.bytesOut.Load(), t.id)
	e.gauge(tenantInFlight, float64(t.inFlight.Load()), t.id)
	e.gauge(tenantConnections, float64(t.connections.Load()), t.id)
	e.moved(tenantConnects, t.connects.Load(), t.id)
	e.moved(tenantConnectFailures, t.connectFailures.Load(), t.id)
	e.moved(tenantRetries, t.retries.Load(), t.id)
	e.moved(tenantRetriesRefused, t.retriesRefused.Load(), t.id)
	e.moved(tenantBackendChanges, t.backendsUp.Load(), t.id, "up")
	e.moved(tenantBackendChanges, t.backendsDown.Load(), t.id, "down")
	e.moved(tenantCrowded, t.crowded.Load(), t.id)
	e.moved(tenantRevoked, t.revoked.Load(), t.id)
	e.canary(t)
	for i, result := range MirrorResults {
		e.moved(tenantMirrored, t.mirrored[i].Load(), t.id, result)
	}
	e.limits(t)
	e.means(t)
	e.compression(t)
	e.pools(t)
	e.durations(t)
}

// durations sends the histogram. The buckets are read one after the other while
// requests go on; the count is their sum, so that it always fits them.
func (e emitter) durations(t *Tenant) {
	buckets := make(map[float64]uint64, len(durationBuckets))
	var count uint64
	for i, bound := range durationBuckets {
		count += t.durations[i].Load()
		buckets[bound] = count
	}
	count += t.durations[len(durationBuckets)].Load()
	if count == 0 {
		return
	}
	seconds := float64(t.durationNanos.Load()) / 1e9
	e.out <- prometheus.MustNewConstHistogram(tenantDuration, count, seconds, buckets, t.id)
}
