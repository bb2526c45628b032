package e2e

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// otherRate is how often the clients of the other tenant ask.
const otherRate = 50

// unmoved wants none of the other tenant's requests to have failed, and one in a hundred to have waited for less than
// people notice. Under the race detector the machine alone makes them wait.
func (l *steady) unmoved(t *testing.T) {
	t.Helper()
	l.noGetFailed(t)
	if len(l.failed) > 0 {
		t.Errorf("of %d POSTs of the other tenant failed %v", l.posts, l.failed)
	}
	if took := l.quantile(0.99); took > time.Second && !underRace {
		t.Errorf("the other tenant's requests took %v, one in a hundred of them", took)
	}
}

// stalledUpload and unreadAnswer are requests for a path whose clients go on with neither writing nor reading.
func stalledUpload(path string) string {
	return "POST " + path + " HTTP/1.1\r\nHost: acme.example\r\nContent-Length: 10000000\r\n\r\nbegun"
}

func unreadAnswer(path string) string { return plainGet(path, "acme.example") }

// TestSlowClients: 60 stalled uploads and 500 readers that do not read, all of one tenant, are served and hold what they
// are estimated at. The other tenant's clients do not notice. When their time is over, slow ones are told as too slow.
func TestSlowClients(t *testing.T) {
	const uploads, readers = 60, 500
	w := newWorld(t)
	w.write(t, "tenants/acme.yaml", acmeText(newBulk(t).URL)+
		"limits: {min_rate: off}\nroutes: {/soon/: {limits: {min_rate: 240B/s, min_rate_after: 2s}, timeouts: {idle: 2s}}}\n")
	w.start(t)
	w.trust(t)
	calm := w.pour(t, clientOfGlobex, "globex.example", otherRate)
	calm.after(2 * time.Second)
	calm.end(t)
	before := w.goMemory(t)

	slow := newCrowd(t)
	slow.come(uploads+readers, func(i int) net.Conn {
		if i < uploads {
			return w.tell(t, clientOfAcme, "acme.example", stalledUpload("/upload"))
		}
		return w.tell(t, clientOfAcme, "acme.example", unreadAnswer("/large"))
	})
	const inFlight = `gatehouse_requests_in_flight{tenant="acme"}`
	eventually(t, answerTime, "all are in progress", func() bool { return w.metric(t, inFlight) == uploads+readers })
	other := w.pour(t, clientOfGlobex, "globex.example", otherRate)
	other.after(3 * time.Second)
	held, took := w.metric(t, `gatehouse_tenant_means{means="memory",tenant="acme"}`), w.goMemory(t)-before
	other.after(2 * time.Second)
	other.end(t)
	other.unmoved(t)
	t.Logf("the slow ones are estimated at %.1f MiB, and the process has grown by %.1f MiB", held/(1<<20), took/(1<<20))
	if held < took/2 && !underRace {
		t.Errorf("the estimate of %.0f bytes is less than half of what they took, %.0f", held, took)
	}
	slow.home()
	w.cutSlowClients(t)
	get(t, w.client(t, clientOfAcme), w.url("acme.example", "/"), 200)
}

// cutSlowClients has slow ones come where they have little time.
func (w *world) cutSlowClients(t *testing.T) {
	t.Helper()
	const each, tooSlow = 10, `gatehouse_refusals_total{reason="too_slow",tenant="acme"}`
	slow := newCrowd(t)
	slow.come(2*each, func(i int) net.Conn {
		if i < each {
			return w.tell(t, clientOfAcme, "acme.example", stalledUpload("/soon/upload"))
		}
		return w.tell(t, clientOfAcme, "acme.example", unreadAnswer("/soon/large"))
	})
	eventually(t, answerTime, "all were too slow", func() bool { return w.metric(t, tooSlow) == 2*each })
	for path, want := range map[string]int{"/soon/upload": 408, "/soon/large": 200} {
		eventually(t, answerTime, "the log tells of "+path, func() bool {
			line := w.accessLog(t)[path]
			return line.Reason == "too_slow" && line.Status == want
		})
	}
	eventually(t, answerTime, "nothing is held any more", func() bool {
		return w.metric(t, `gatehouse_tenant_means{means="memory",tenant="acme"}`) < 1<<20
	})
}

// goMemory is what the gateway's heap and stacks take.
func (w *world) goMemory(t *testing.T) float64 {
	t.Helper()
	return w.metric(t, "go_memstats_heap_inuse_bytes") + w.metric(t, "go_memstats_stack_inuse_bytes")
}

// TestThousandsOfConnections: a client that opens 10,000 connections gets those that one client may have. Three of them,
// who together open more than there may be, leave some for others. Both are told.
func TestThousandsOfConnections(t *testing.T) {
	w := newWorld(t)
	w.defaults = "{timeouts: {header: 2m}}" // connections that say nothing stay as long as they are looked at
	w.writeMain(t)
	p := w.start(t)
	w.trust(t)
	listener := fmt.Sprintf("127.0.0.1:%d", w.https)
	refused := fmt.Sprintf("gatehouse_connection_refusals_total{listener=%q,reason=%q}", listener, "too_many_connections")
	open := fmt.Sprintf("gatehouse_connections{listener=%q}", listener)
	other := w.pour(t, clientOfGlobex, "globex.example", otherRate)
	mob := newCrowd(t)
	mob.come(10_000, func(int) net.Conn { return w.knock(stranger) })
	eventually(t, answerTime, "what is too much is refused", func() bool { return w.metric(t, refused) >= 10_000-4096 })
	stayed := w.metric(t, open)
	t.Logf("of 10,000 connections of a client %.0f stay", stayed)
	if stayed < 1000 || stayed > 4096+steadyClients {
		t.Errorf("%.0f connections are open, want at most 4096 of that client", stayed)
	}
	if n := strings.Count(p.log.String(), "client="+stranger+" reason=too_many_connections"); n != 1 {
		t.Errorf("the client is logged %d times, want once", n)
	}
	mob.home()
	eventually(t, answerTime, "they are gone", func() bool { return w.metric(t, open) <= steadyClients })

	before := w.metric(t, refused)
	mob.come(12_000, func(i int) net.Conn { return w.knock(fmt.Sprintf("127.0.1.%d", i%3)) })
	began := time.Now()
	for range 5 {
		c := w.client(t, clientOfGlobex) // with connections of its own
		get(t, c, w.url("globex.example", "/"), 200)
		c.CloseIdleConnections()
	}
	t.Logf("of 12,000 connections of three clients %.0f are refused; five handshakes of another take %v", w.metric(t, refused)-before, time.Since(began))
	other.end(t)
	other.unmoved(t)
}
