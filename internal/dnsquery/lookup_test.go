package dnsquery

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/dnsquery/dnstest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// soon is how long tests wait for what does not come.
const soon = 60 * time.Millisecond

// timeoutAt is how long one attempt takes at a server with a fault. Where nothing
// comes it need not be long. Where a datagram comes that is no answer, the real
// one is waited for until the end, and the datagram must be there before it on a
// busy machine too. An answer ends the attempt itself.
func timeoutAt(f dnstest.Fault) time.Duration {
	switch f {
	case dnstest.Drop, dnstest.Slow:
		return soon
	case dnstest.Garbage, dnstest.Short, dnstest.WrongID, dnstest.WrongQuestion:
		return 500 * time.Millisecond
	}
	return attemptTimeout
}

func sample(t *testing.T) (*dnstest.Server, *Resolver) {
	s := dnstest.Start(t)
	s.Zone("acme.example", "hosted.example", "deep.hosted.example")
	s.Add("pa.acme.example. A 192.0.2.1", "pa.acme.example. A 192.0.2.2", "pa.acme.example. A 192.0.2.1", "pa.acme.example. AAAA 2001:db8::1",
		"www.acme.example. CNAME app.hosted.example.", "app.hosted.example. CNAME lb.deep.hosted.example.", "lb.deep.hosted.example. A 192.0.2.9",
		"six.acme.example. AAAA 2001:db8::6", "bare.acme.example. TXT \"nothing else\"",
		"loop.acme.example. CNAME pool.acme.example.", "pool.acme.example. CNAME loop.acme.example.",
		"dangling.acme.example. CNAME gone.hosted.example.", `odd.acme.example. CNAME a\032b.hosted.example.`,
		"mapped.acme.example. AAAA ::ffff:192.0.2.1")
	for i := range 20 {
		s.Add(fmt.Sprintf("n%d.acme.example. CNAME n%d.acme.example.", i, i+1))
	}
	for i := range 120 {
		s.Add(fmt.Sprintf("many.acme.example. A 192.0.2.%d", i))
	}
	return s, New([]string{s.Addr()}, Options{})
}

func addrs(texts ...string) (out []netip.Addr) {
	for _, text := range texts {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}

func TestAddresses(t *testing.T) {
	_, r := sample(t)
	tests := []struct {
		name    string
		want    []netip.Addr
		aliases []string
		kind    Kind
	}{
		{"pa.acme.example", addrs("192.0.2.1", "192.0.2.2", "2001:db8::1"), nil, 0},
		{"PA.Acme.Example.", addrs("192.0.2.1", "192.0.2.2", "2001:db8::1"), nil, 0},
		{"www.acme.example", addrs("192.0.2.9"), []string{"app.hosted.example", "lb.deep.hosted.example"}, 0},
		{"six.acme.example", addrs("2001:db8::6"), nil, 0},
		{"mapped.acme.example", addrs("::ffff:192.0.2.1"), nil, 0},
		{"bare.acme.example", nil, nil, 0},
		{"none.acme.example", nil, nil, NoSuchName},
		{"dangling.acme.example", nil, []string{"gone.hosted.example"}, NoSuchName},
		{"loop.acme.example", nil, nil, TooMuch},
		{"n0.acme.example", nil, nil, TooMuch},
		{"n12.acme.example", nil, nil, NoSuchName},
		{"many.acme.example", nil, nil, TooMuch},
		{"odd.acme.example", nil, nil, BadAlias},
		{"elsewhere.test", nil, nil, Refused},
		{"", nil, nil, NotAName},
		{"a b.example", nil, nil, NotAName},
		{"a..example", nil, nil, NotAName},
		{`a\046b.example`, nil, nil, NotAName},
		{strings.Repeat("a", 64) + ".example", nil, nil, NotAName},
	}
	for _, tt := range tests {
		got, aliases, err := r.Addresses(t.Context(), tt.name)
		if KindOf(err) != tt.kind || (err == nil) != (tt.kind == 0) {
			t.Errorf("%s: %v, want kind %q", tt.name, err, tt.kind)
		}
		if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if tt.aliases != nil && !cmp.Equal(tt.aliases, aliases) {
			t.Errorf("%s: aliases %q, want %q", tt.name, aliases, tt.aliases)
		}
	}
}

// One type that fails is passed over where the other has addresses.
func TestAddressesOfOneType(t *testing.T) {
	s, r := sample(t)
	s.Fault("pa.acme.example", dnstest.ServFail, "AAAA")
	got, _, err := r.Addresses(t.Context(), "pa.acme.example")
	if err != nil || len(got) != 2 {
		t.Errorf("got %v, %v; want the two A records", got, err)
	}
	s.Fault("six.acme.example", dnstest.ServFail, "A")
	if got, _, err := r.Addresses(t.Context(), "six.acme.example"); err != nil || len(got) != 1 {
		t.Errorf("got %v, %v; want the AAAA record", got, err)
	}
	s.Fault("bare.acme.example", dnstest.ServFail, "AAAA")
	if _, _, err := r.Addresses(t.Context(), "bare.acme.example"); KindOf(err) != ServerFailure {
		t.Errorf("got %v; want SERVFAIL", err)
	}
}

func TestTXT(t *testing.T) {
	s, r := sample(t)
	s.Add(`t.acme.example. TXT "one" "two"`, `t.acme.example. TXT "with \"quotes\" and \\ and \200"`, "alias.acme.example. CNAME t.acme.example.")
	for _, name := range []string{"t.acme.example", "alias.acme.example"} {
		got, err := r.TXT(t.Context(), name)
		if diff := cmp.Diff([]string{"onetwo", "with \"quotes\" and \\ and \xc8"}, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	if _, err := r.TXT(t.Context(), "none.acme.example"); KindOf(err) != NoSuchName {
		t.Errorf("got %v", err)
	}
}

func TestCNAME(t *testing.T) {
	s, r := sample(t)
	s.Add("_acme-challenge.acme.example. CNAME Acme.Challenges.Hosted.Example.")
	tests := []struct{ name, want string }{
		{"_acme-challenge.acme.example", "acme.challenges.hosted.example"},
		{"pa.acme.example", ""},
		{"none.acme.example", ""},
	}
	for _, tt := range tests {
		if got, err := r.CNAME(t.Context(), tt.name); got != tt.want || err != nil {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	if _, err := r.CNAME(t.Context(), "odd.acme.example"); KindOf(err) != BadAlias {
		t.Errorf("got %v", err)
	}
	if _, err := r.CNAME(t.Context(), "-.-.\x00"); KindOf(err) != NotAName {
		t.Errorf("got %v", err)
	}
}

func TestZone(t *testing.T) {
	_, r := sample(t)
	tests := []struct {
		name, want string
		kind       Kind
	}{
		{"pa.acme.example", "acme.example", 0},
		{"acme.example", "acme.example", 0},
		{"_acme-challenge.new.deep.hosted.example", "deep.hosted.example", 0},
		{"www.acme.example", "acme.example", 0},
		{"elsewhere.test", "", Refused},
	}
	for _, tt := range tests {
		if got, err := r.Zone(t.Context(), tt.name); got != tt.want || KindOf(err) != tt.kind {
			t.Errorf("%s: %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}

func TestCAA(t *testing.T) {
	s, r := sample(t)
	s.Add(`acme.example. CAA 0 issue "letsencrypt.org"`, `acme.example. CAA 128 IODEF "mailto:a@acme.example"`,
		`strict.acme.example. CAA 0 issue ";"`, "alias.strict.acme.example. CNAME app.hosted.example.",
		`lb.deep.hosted.example. CAA 0 issue "other.example"`, "far.acme.example. CNAME lb.deep.hosted.example.")
	loose := []CAARecord{{false, "issue", "letsencrypt.org"}, {true, "iodef", "mailto:a@acme.example"}}
	tests := []struct {
		name, at string
		want     []CAARecord
		kind     Kind
	}{
		{"acme.example", "acme.example", loose, 0},
		{"pa.acme.example", "acme.example", loose, 0},
		{"no.such.name.acme.example", "acme.example", loose, 0},
		{"x.strict.acme.example", "strict.acme.example", []CAARecord{{false, "issue", ";"}}, 0},
		{"far.acme.example", "far.acme.example", []CAARecord{{false, "issue", "other.example"}}, 0},
		{"x.lb.deep.hosted.example", "lb.deep.hosted.example", []CAARecord{{false, "issue", "other.example"}}, 0},
	}
	for _, tt := range tests {
		got, at, err := r.CAA(t.Context(), tt.name)
		if diff := cmp.Diff(tt.want, got); diff != "" || at != tt.at || KindOf(err) != tt.kind {
			t.Errorf("%s at %q, %v; want at %q\n%s", tt.name, at, err, tt.at, diff)
		}
	}
	s.Zone("example")
	if got, at, err := r.CAA(t.Context(), "a.deep.hosted.example"); got != nil || at != "" || err != nil {
		t.Errorf("without records: %v at %q, %v", got, at, err)
	}
	s.Fault("acme.example", dnstest.ServFail, "CAA")
	if _, _, err := r.CAA(t.Context(), "pa.acme.example"); KindOf(err) != ServerFailure {
		t.Errorf("a failure above is no %v", err)
	}
}
