package metrics

import (
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// scrape returns the lines of a scrape that begin with gatehouse_.
func scrape(t *testing.T, s *Set) []string {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		body, _ := io.ReadAll(w.Body)
		t.Fatalf("scrape: status %d: %s", w.Code, body)
	}
	var lines []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "gatehouse_") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func wantLines(t *testing.T, s *Set, want ...string) {
	t.Helper()
	got := scrape(t, s)
	all := "\n" + strings.Join(got, "\n") + "\n"
	for _, line := range want {
		if !strings.Contains(all, "\n"+line+"\n") {
			t.Errorf("the scrape lacks %s; it has\n%s", line, all)
		}
	}
}

func TestTenantSeries(t *testing.T) {
	s := New("", "blocked", "ip_not_allowed")
	a := s.Tenant("acme")
	a.Begin()
	a.Answered(200, 10, 20)
	a.Answered(204, 1, 2)
	a.Answered(499, 0, 0)
	a.Answered(101, -1, -1)
	a.Refused(2)
	a.Refused(200) // outside the table
	a.Took(3 * time.Millisecond)
	a.Took(time.Hour)
	a.Took(-time.Second)
	a.BackendConnect(true)
	a.BackendConnect(false)
	a.Retry()
	a.Revoked()
	a.Connection(+1)
	a.LimitUsed(LimitRequests, 0.25)
	a.LimitUsed(LimitInFlight, 1)
	a.LimitUsed(LimitWebSockets, 1)
	a.LimitUsed(LimitWebSockets, -1)
	a.Queued(3)
	s.Scarce(1, true)
	s.MeansTaken(MeansMemory, 2, 3)
	s.Tenant("acme").Holds(func() []int { return []int{0, 5, 0, 0} })
	s.Tenant("acme").Shed(MeansConnections)
	a.Compressed(3, 1000, 100)
	a.Compressed(200, 1, 1) // no such coding
	a.CompressionDeclined()
	s.Encoders(4, 5)
	wantLines(t, s,
		`gatehouse_compressed_responses_total{coding="zstd",tenant="acme"} 1`,
		`gatehouse_compression_input_bytes_total{tenant="acme"} 1000`,
		`gatehouse_compression_output_bytes_total{tenant="acme"} 100`,
		`gatehouse_compression_declined_total{tenant="acme"} 1`,
		`gatehouse_encoders_taken 4`,
		`gatehouse_encoders 5`,
		`gatehouse_limit_used_ratio{limit="requests",tenant="acme"} 0.25`,
		`gatehouse_limit_used_ratio{limit="in_flight",tenant="acme"} 1`,
		`gatehouse_requests_queued{tenant="acme"} 3`,
		`gatehouse_turns_waiting 1`,
		`gatehouse_processors_scarce 1`,
		`gatehouse_means_taken{means="memory"} 2`,
		`gatehouse_means{means="memory"} 3`,
		`gatehouse_tenant_means{means="goroutines",tenant="acme"} 5`,
		`gatehouse_shed_total{means="connections",tenant="acme"} 1`,
		`gatehouse_requests_total{class="1xx",tenant="acme"} 1`,
		`gatehouse_requests_total{class="2xx",tenant="acme"} 2`,
		`gatehouse_requests_total{class="4xx",tenant="acme"} 1`,
		`gatehouse_refusals_total{reason="ip_not_allowed",tenant="acme"} 1`,
		`gatehouse_request_body_bytes_total{tenant="acme"} 11`,
		`gatehouse_response_body_bytes_total{tenant="acme"} 22`,
		`gatehouse_requests_in_flight{tenant="acme"} 1`,
		`gatehouse_tenant_connections{tenant="acme"} 1`,
		`gatehouse_backend_connects_total{tenant="acme"} 1`,
		`gatehouse_backend_connect_failures_total{tenant="acme"} 1`,
		`gatehouse_backend_retries_total{tenant="acme"} 1`,
		`gatehouse_revoked_total{tenant="acme"} 1`,
		`gatehouse_request_duration_seconds_bucket{tenant="acme",le="0.001"} 1`,
		`gatehouse_request_duration_seconds_bucket{tenant="acme",le="0.005"} 2`,
		`gatehouse_request_duration_seconds_bucket{tenant="acme",le="+Inf"} 3`,
		`gatehouse_request_duration_seconds_count{tenant="acme"} 3`,
		`gatehouse_tenants 1`,
	)
	for _, line := range scrape(t, s) {
		if strings.Contains(line, `class="3xx"`) || strings.Contains(line, `reason="blocked"`) {
			t.Errorf("a counter that never moved is shown: %s", line)
		}
	}
}

func TestRemovedTenantIsGone(t *testing.T) {
	s := New("")
	a := s.Tenant("acme")
	a.Answered(200, 0, 0)
	s.CertificateExpiry(map[string]time.Time{"": time.Unix(1000, 0), "acme": time.Unix(2000, 0)})
	wantLines(t, s, `gatehouse_certificate_not_after_seconds{tenant="acme"} 2000`)
	s.RemoveTenant("acme")
	a.Answered(200, 0, 0)
	a.End()
	for _, line := range scrape(t, s) {
		if strings.Contains(line, "acme") {
			t.Errorf("a removed tenant is shown: %s", line)
		}
	}
	wantLines(t, s, `gatehouse_certificate_not_after_seconds{tenant=""} 1000`)
	s.Tenant("acme").Answered(200, 0, 0)
	wantLines(t, s, `gatehouse_requests_total{class="2xx",tenant="acme"} 1`)
}

func TestListenerAndServerSeries(t *testing.T) {
	s := New("", "blocked")
	l := s.Listener(":443")
	l.Accepted()
	l.Accepted()
	l.Closed()
	l.AcceptError()
	l.Handshake(true)
	l.Handshake(false)
	l.Refused(1)
	s.AccessLogDropped(func() uint64 { return 3 })
	s.LogDropped(func() uint64 { return 5 })
	s.FieldsDropped(2)
	s.Panicked()
	s.Reloaded(ReloadRefused)
	s.Applied(42, 1)
	s.StateWritten(nil)
	s.StateWritten(errors.New("full"))
	s.Ready(func() bool { return true })
	s.Levers(func() LeverCounts { return LeverCounts{LeverBlock: 3, LeverDrain: 1} })
	s.LeversLost(func() bool { return true })
	wantLines(t, s,
		`gatehouse_levers_lost 1`,
		`gatehouse_levers{lever="block"} 3`,
		`gatehouse_levers{lever="suspend"} 0`,
		`gatehouse_levers{lever="maintenance"} 0`,
		`gatehouse_levers{lever="drain"} 1`,
		`gatehouse_state_write_failures_total 1`,
		`gatehouse_state_unsaved 1`,
		`gatehouse_ready 1`,
		`gatehouse_accepted_connections_total{listener=":443"} 2`,
		`gatehouse_connections{listener=":443"} 1`,
		`gatehouse_accept_errors_total{listener=":443"} 1`,
		`gatehouse_handshakes_total{listener=":443"} 1`,
		`gatehouse_handshake_errors_total{listener=":443"} 1`,
		`gatehouse_connection_refusals_total{listener=":443",reason="blocked"} 1`,
		`gatehouse_access_log_dropped_total 3`,
		`gatehouse_log_dropped_total 5`,
		`gatehouse_fields_dropped_total 2`,
		`gatehouse_panics_total 1`,
		`gatehouse_reloads_total{result="refused"} 1`,
		`gatehouse_reloads_total{result="applied"} 0`,
		`gatehouse_table_generation 42`,
		`gatehouse_tenants_quarantined 1`,
	)
}

// TestProcessCollectors: the scrape also holds the runtime's own metrics.
func TestProcessCollectors(t *testing.T) {
	w := httptest.NewRecorder()
	New().Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total"} {
		if !strings.Contains(w.Body.String(), "\n"+name+" ") {
			t.Errorf("the scrape lacks %s", name)
		}
	}
}

func TestNilCountsNothing(t *testing.T) {
	var s *Set
	count(s.Tenant("acme"))
	s.Listener(":443").Accepted()
	s.Listener(":443").Closed()
	s.Listener(":443").AcceptError()
	s.Listener(":443").Handshake(true)
	s.Listener(":443").Refused(1)
	s.RemoveTenant("acme")
	s.AccessLogDropped(nil)
	s.LogDropped(nil)
	s.FieldsDropped(1)
	s.Panicked()
	s.Reloaded(ReloadApplied)
	s.Applied(1, 0)
	s.StateWritten(nil)
	s.Ready(nil)
	s.LeversLost(nil)
	s.CertificateExpiry(nil)
}

// TestScrapesDuringRequests runs under the race detector.
func TestScrapesDuringRequests(t *testing.T) {
	s := New("", "blocked")
	var running sync.WaitGroup
	for _, id := range []string{"acme", "globex"} {
		running.Go(func() {
			for range 1000 {
				count(s.Tenant(id))
			}
		})
	}
	running.Go(func() {
		for range 5 {
			scrape(t, s)
			s.RemoveTenant("globex")
		}
	})
	running.Wait()
}

// count is what one request costs.
func count(t *Tenant) {
	t.Begin()
	t.Answered(200, 100, 1000)
	t.Took(3 * time.Millisecond)
	t.End()
}

func TestCountingAllocatesNothing(t *testing.T) {
	tenant := New("").Tenant("acme")
	if n := testing.AllocsPerRun(100, func() { count(tenant) }); n != 0 {
		t.Errorf("counting a request allocates %v times, want 0", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	tenant := New("").Tenant("acme")
	b.ReportAllocs()
	for b.Loop() {
		count(tenant)
	}
}
