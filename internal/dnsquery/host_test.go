package dnsquery

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/dnsquery/dnstest"

	"github.com/google/go-cmp/cmp"
)

// hosts writes a hosts file.
func hosts(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHost(t *testing.T) {
	s, _ := sample(t)
	s.TTL(300)
	s.Fault("four.acme.example", dnstest.ServFail, "AAAA")
	s.Add("four.acme.example. A 192.0.2.4")
	for i := range 500 {
		s.Add(fmt.Sprintf("crowd.acme.example. A 198.51.%d.%d", 100+i/250, i%250))
	}
	file := hosts(t, "127.0.0.1 localhost\n192.0.2.77 filed.acme.example FILED2.acme.example. # ours\n::2 filed.acme.example\n")
	r := New([]string{s.Addr()}, Options{Hosts: file})
	for _, test := range []struct {
		name   string
		v4, v6 string
		ttl    time.Duration
		kind   Kind
	}{
		{"pa.acme.example", "192.0.2.1 192.0.2.2", "2001:db8::1", 300 * time.Second, 0},
		{"www.acme.example", "192.0.2.9", "", 300 * time.Second, 0},
		{"six.acme.example.", "", "2001:db8::6", 300 * time.Second, 0},
		{"four.acme.example", "192.0.2.4", "", 300 * time.Second, 0},
		{"filed.acme.example", "192.0.2.77", "::2", fileTTL, 0},
		{"filed2.acme.example", "192.0.2.77", "", fileTTL, 0},
		{"localhost", "127.0.0.1", "", fileTTL, 0},
		{"app.localhost", "127.0.0.1", "::1", fileTTL, 0},
		{"bare.acme.example", "", "", 0, NoAddress},
		{"none.acme.example", "", "", 0, NoSuchName},
		{"dangling.acme.example", "", "", 0, NoSuchName},
		{"loop.acme.example", "", "", 0, TooMuch},
		{"a b.example", "", "", 0, NotAName},
	} {
		got, err := r.Host(t.Context(), test.name)
		if KindOf(err) != test.kind {
			t.Errorf("%s: %v, want %q", test.name, err, test.kind)
			continue
		}
		if test.kind != 0 {
			if want := strings.TrimSuffix(test.name, "."); !strings.Contains(err.Error(), " of ") && test.kind != NotAName {
				t.Errorf("%s: %q does not name %s", test.name, err, want)
			}
			continue
		}
		if diff := cmp.Diff([]string{test.v4, test.v6}, []string{joined(got.V4), joined(got.V6)}); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.name, diff)
		}
		if got.TTL != test.ttl {
			t.Errorf("%s counts for %s, want %s", test.name, got.TTL, test.ttl)
		}
	}
	got, err := r.Host(t.Context(), "crowd.acme.example")
	if err != nil || len(got.V4.Addresses) != 500 {
		t.Errorf("of 500 addresses %d came, %v", len(got.V4.Addresses), err)
	}
	if got, err := r.Host(t.Context(), "four.acme.example"); err != nil || KindOf(got.V6.Err) != ServerFailure {
		t.Errorf("AAAA: %v, %v; want its own failure", got.V6.Err, err)
	}
}

func joined(f Family) string {
	var words []string
	for _, a := range f.Addresses {
		words = append(words, a.String())
	}
	return strings.Join(words, " ")
}

// What DNS does wrong is an error of its own kind, and never an address.
func TestHostFaults(t *testing.T) {
	for fault, want := range map[dnstest.Fault]Kind{
		dnstest.Drop: Timeout, dnstest.Garbage: Malformed, dnstest.Short: Malformed, dnstest.WrongID: Malformed,
		dnstest.WrongQuestion: Malformed, dnstest.ServFail: ServerFailure, dnstest.Refuse: Refused,
		dnstest.Foreign: NoAddress, dnstest.TruncateAll: Malformed,
	} {
		t.Run(fmt.Sprintf("fault %d", fault), func(t *testing.T) {
			t.Parallel() // some wait
			s, _ := sample(t)
			s.Fault("pa.acme.example", fault)
			r := New([]string{s.Addr()}, Options{Timeout: timeoutAt(fault), Hosts: hosts(t, "")})
			if got, err := r.Host(t.Context(), "pa.acme.example"); KindOf(err) != want || len(got.V4.Addresses) > 0 {
				t.Errorf("%v, %v; want %q", got, err, want)
			}
		})
	}
}

func TestHostPutsUpWith(t *testing.T) {
	s, _ := sample(t)
	s.Fault("pa.acme.example", dnstest.Truncate)
	patient := New([]string{s.Addr()}, Options{Hosts: hosts(t, "")})
	if got, err := patient.Host(t.Context(), "pa.acme.example"); err != nil || len(got.V4.Addresses) != 2 {
		t.Errorf("truncated: %v, %v", got, err)
	}
	for ttl, want := range map[uint32]time.Duration{0: 0, 1 << 31: 0, 86400: 24 * time.Hour} {
		s.TTL(ttl)
		if got, err := patient.Host(t.Context(), "pa.acme.example"); err != nil || got.TTL != want {
			t.Errorf("a time to live of %d is %s, %v; want %s", ttl, got.TTL, err, want)
		}
	}
}

// A family that is silent holds the other one up for a moment only.
func TestHostWithASilentFamily(t *testing.T) {
	s, r := sample(t)
	s.Fault("pa.acme.example", dnstest.Drop, "AAAA")
	began := time.Now()
	got, err := r.Host(t.Context(), "pa.acme.example")
	if err != nil || len(got.V4.Addresses) != 2 || KindOf(got.V6.Err) != Timeout {
		t.Errorf("%v, %v", got, err)
	}
	// Without the grace it takes two attempts of three seconds.
	if took := time.Since(began); took < familyGrace || took > familyGrace+3*time.Second {
		t.Errorf("it took %s, want about %s", took, familyGrace)
	}
}

// The search list is gone through as far as names are known not to be there.
func TestSearchList(t *testing.T) {
	s, r := sample(t)
	s.Fault("broken.hosted.example", dnstest.ServFail)
	for _, test := range []struct {
		candidates string
		want       string
		kind       Kind
	}{
		{"pa.hosted.example. pa.acme.example.", "192.0.2.1 192.0.2.2", 0},
		{"bare.acme.example. pa.acme.example.", "192.0.2.1 192.0.2.2", 0},
		{"broken.hosted.example. pa.acme.example.", "", ServerFailure},
		{"none.hosted.example. none.acme.example.", "", NoSuchName},
		{"bare.acme.example. none.acme.example.", "", NoAddress},
		{"", "", NoSuchName},
	} {
		got, err := r.firstOf(t.Context(), strings.Fields(test.candidates))
		if KindOf(err) != test.kind || joined(got.V4) != test.want {
			t.Errorf("%s: %s, %v; want %q", test.candidates, joined(got.V4), err, test.want)
		}
	}
	config := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(config, []byte("nameserver 192.0.2.53\nsearch ns.svc.cluster.local svc.cluster.local\noptions ndots:2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	system := New(nil, Options{Config: config})
	for name, want := range map[string]string{
		"app":             "app.ns.svc.cluster.local. app.svc.cluster.local. app.",
		"app.ns":          "app.ns.ns.svc.cluster.local. app.ns.svc.cluster.local. app.ns.",
		"a.b.c.example":   "a.b.c.example. a.b.c.example.ns.svc.cluster.local. a.b.c.example.svc.cluster.local.",
		"app.internal.":   "app.internal.",
		"a.b.c.internal.": "a.b.c.internal.",
	} {
		if got := strings.Join(system.candidates(name), " "); got != want {
			t.Errorf("%s stands for %s, want %s", name, got, want)
		}
	}
	if got := r.candidates("app"); len(got) != 1 || got[0] != "app." {
		t.Errorf("with resolvers of our own app stands for %v", got)
	}
}

// The hosts file is read again when it changes, and no longer known when it goes.
func TestHostsFileChanges(t *testing.T) {
	s, _ := sample(t)
	path := hosts(t, "192.0.2.77 app.acme.example\n")
	r := New([]string{s.Addr()}, Options{Hosts: path})
	find := func() string {
		got, err := r.Host(context.Background(), "app.acme.example")
		if err != nil {
			return KindOf(err).String()
		}
		return joined(got.V4)
	}
	if got := find(); got != "192.0.2.77" {
		t.Errorf("at first: %s", got)
	}
	if err := os.WriteFile(path, []byte("fe80::1%eth0 app.acme.example\nnonsense app.acme.example\n192.0.2.78 app.acme.example app.acme.example\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := find(); got != "192.0.2.78" {
		t.Errorf("after a change: %s", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := find(); got != NoSuchName.String() {
		t.Errorf("without the file: %s", got)
	}
}

// Whatever stands in the file, names lead to addresses.
func FuzzReadHosts(f *testing.F) {
	for _, seed := range []string{"127.0.0.1 localhost\n::1 localhost ip6-localhost # x\n", "\x00\xff 1.2.3.4", "1.2.3.4", "::ffff:1.2.3.4 a.\n\n#\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, found := range readHosts(strings.NewReader(text)) {
			if len(found) == 0 || name != strings.ToLower(name) {
				t.Errorf("%q leads to %v", name, found)
			}
			for _, a := range found {
				if !a.IsValid() || a.Is4In6() || a.Zone() != "" {
					t.Errorf("%q leads to %v", name, a)
				}
			}
		}
	})
}
