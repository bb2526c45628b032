package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/metrics"
	"gatehouse/tenancy"
)

// logged is an exchange with something in every field.
func logged() *exchange {
	ex := &exchange{
		peer:      &peer{tenantID: "acme"},
		client:    netip.MustParseAddr("203.0.113.77"),
		method:    []byte("GET"),
		authority: []byte("pa.acme.example"),
		path:      []byte("/login"),
		query:     []byte("user=ada&token=secret"),
		proto:     "HTTP/1.1",
		started:   time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
		status:    200,
		backend:   "10.4.1.10:8080",
		attempts:  1,
		queued:    time.Millisecond,
		connected: 1500 * time.Microsecond,
		firstByte: 2 * time.Millisecond,
		bytesOut:  1024,
	}
	copy(ex.ref[:], "abcdefghijklmnop")
	ex.bytesIn.Store(12)
	return ex
}

func lineOf(o Options, ex *exchange) string {
	o.AccessLog = io.Discard
	return string(newAccessLog(o).appendLine(nil, ex, ex.started.Add(3456*time.Microsecond)))
}

func TestAccessLine(t *testing.T) {
	const want = `{"time":"2026-11-21T10:00:00.003Z","ref":"abcdefghijklmnop","tenant":"acme",` +
		`"client":"203.0.113.77","host":"pa.acme.example","method":"GET","path":"/login","protocol":"HTTP/1.1",` +
		`"status":200,"bytes_in":12,"bytes_out":1024,"duration_ms":3.456,"queued_ms":1.000,` +
		`"backend":"10.4.1.10:8080","attempts":1,"connect_ms":1.500,"first_byte_ms":2.000}` + "\n"
	if got := lineOf(Options{}, logged()); got != want {
		t.Errorf("the line is\n%swant\n%s", got, want)
	}
}

func TestAccessLineOfRefusal(t *testing.T) {
	ex := logged()
	ex.backend, ex.status, ex.reason = "", 403, tenancy.IPNotAllowed
	got := lineOf(Options{}, ex)
	if !strings.Contains(got, `"status":403,"reason":"ip_not_allowed"`) || strings.Contains(got, "backend") {
		t.Errorf("the line is %s", got)
	}
}

func TestAccessLineQuery(t *testing.T) {
	for _, test := range []struct {
		mode  LogQuery
		query string
		want  string // of the key query; "-" for no such key
	}{
		{QueryDrop, "user=ada&token=secret", "-"},
		{QueryKeys, "user=ada&token=secret", "user&token"},
		{QueryKeys, "flag&a=1=2&&=x", "flag&a&&"},
		{QueryKeys, "", "-"},
		{QueryFull, "user=ada&token=secret", "user=ada&token=secret"},
		{QueryFull, "\"\x01", "\"\x01"},
	} {
		ex := logged()
		ex.query = []byte(test.query)
		var line map[string]any
		text := lineOf(Options{LogQuery: test.mode}, ex)
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		got, ok := line["query"]
		if !ok {
			got = "-"
		}
		if got != test.want {
			t.Errorf("mode %d logs the query %q as %q, want %q", test.mode, test.query, got, test.want)
		}
	}
}

func TestAccessLineBounds(t *testing.T) {
	ex := logged()
	long := bytes.Repeat([]byte{1}, 1<<16)
	ex.authority, ex.method, ex.path, ex.query = long, long, long, long
	for _, mode := range []LogQuery{QueryKeys, QueryFull} {
		line := lineOf(Options{LogQuery: mode}, ex)
		if len(line) > 16<<10 {
			t.Errorf("a line of %d bytes, want less than 16 KiB", len(line))
		}
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestMaskedClient(t *testing.T) {
	for addr, want := range map[string]string{
		"203.0.113.77":      "203.0.113.0/24",
		"2001:db8:1:2:3::4": "2001:db8:1::/48",
	} {
		if got := ClientMasked.show(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is masked as %s, want %s", addr, got, want)
		}
	}
	if got := ClientMasked.show(netip.Addr{}); got != "" {
		t.Errorf("no address is masked as %q", got)
	}
}

func FuzzAppendEscaped(f *testing.F) {
	for _, seed := range []string{"", "/a", "\"\\\x00\x7f", "\xff\xfe", "caf\u00e9\u2028", "\xe2\x82"} {
		f.Add([]byte(seed), 100)
	}
	f.Fuzz(func(t *testing.T, value []byte, most int) {
		most = max(0, min(most, 1<<16))
		text := append([]byte{'"'}, appendEscaped(nil, value, most)...)
		text = append(text, '"')
		var got string
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%q gives %s: %v", value, text, err)
		}
		if bytes.ContainsAny(text, "\n\r") {
			t.Errorf("%q gives a line break", value)
		}
		want := value[:min(len(value), most)]
		if len(value) <= most && string(bytes.ToValidUTF8(want, nil)) == string(want) && got != string(want) {
			t.Errorf("%q comes back as %q", value, got)
		}
	})
}

// stuck is a destination that blocks until it is let go.
type stuck struct {
	free chan struct{}
	mu   sync.Mutex
	got  bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.free
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(p)
}

// TestBlockedSinkDrops: a destination that blocks costs lines and no time.
func TestBlockedSinkDrops(t *testing.T) {
	set := metrics.New(ReasonNames()...)
	sink := &stuck{free: make(chan struct{})}
	s := New(Options{AccessLog: sink, Metrics: set})
	go s.access.run()
	ex := logged()
	line := len(s.access.appendLine(nil, ex, time.Now()))
	lines := 3 * accessBufferMax / line
	began := time.Now()
	for range lines {
		s.access.exchange(ex, time.Now())
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("logging to a blocked destination took %v", took)
	}
	close(sink.free)
	s.access.close()
	written := bytes.Count(sink.got.Bytes(), []byte{'\n'})
	if written == 0 || written >= lines {
		t.Errorf("%d of %d lines were written, want some and not all", written, lines)
	}
	if dropped := counter(t, set, "gatehouse_access_log_dropped_total"); int(dropped) != lines-written {
		t.Errorf("%v lines count as dropped, want %d", dropped, lines-written)
	}
}

// fails is a destination that takes half of what it is given.
type fails struct{}

func (fails) Write(p []byte) (int, error) { return len(p) / 2, errors.New("no space left on device") }

func TestFailingSinkCounts(t *testing.T) {
	set := metrics.New()
	s := New(Options{AccessLog: fails{}, Metrics: set})
	go s.access.run()
	_, _ = s.access.lines.Write([]byte("a\nb\nc\nd\n"))
	s.access.close()
	if dropped := counter(t, set, "gatehouse_access_log_dropped_total"); dropped != 2 {
		t.Errorf("%v lines count as dropped, want 2", dropped)
	}
}

func TestAccessLogAllocatesNothing(t *testing.T) {
	s := New(Options{AccessLog: io.Discard})
	ex, now := logged(), time.Now()
	for range 10_000 { // the buffer has its size then
		s.access.exchange(ex, now)
	}
	if got := testing.AllocsPerRun(100, func() { s.access.exchange(ex, now) }); got != 0 {
		t.Errorf("a line allocates %v times, want 0", got)
	}
}

func BenchmarkAccessLog(b *testing.B) {
	s := New(Options{AccessLog: io.Discard})
	go s.access.run()
	ex, now := logged(), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		s.access.exchange(ex, now)
	}
	s.access.close()
}
