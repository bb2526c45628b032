package acme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/internal/dns01"
	"gatehouse/internal/dnsquery"
	"gatehouse/internal/dnsquery/dnstest"

	"github.com/google/go-cmp/cmp"
)

// flight is a preflight whose network is on this machine: an address of the
// world leads to the handler that is registered for it.
type flight struct {
	*preflight
	dns      *dnstest.Server
	settings *Settings
	ca       *authority
	pending  *challenges
	servers  map[string]http.HandlerFunc // by address
	dialled  chan string
	refuse   error // of the authority
	without  bool  // it lacks dns-persist-01
}

func newFlight(t *testing.T) *flight {
	f := &flight{dns: dnstest.Start(t), pending: new(challenges), servers: map[string]http.HandlerFunc{}, dialled: make(chan string, 64)}
	f.dns.Zone("acme.example", "hosted.example", "challenges.example")
	f.ca = &authority{ID: "one", Name: "letsencrypt"}
	f.settings = &Settings{
		authorities: []*authority{f.ca}, challenges: []string{"http-01", "tls-alpn-01", "dns-01"},
		dns: dnsquery.New([]string{f.dns.Addr()}, dnsquery.Options{Timeout: 2 * time.Second}), providers: testProviders(t),
	}
	f.preflight = &preflight{
		describe: func(context.Context, *authority) (*directory, error) {
			return &directory{CAA: []string{"letsencrypt.org"}, Profiles: map[string]string{"classic": "", "shortlived": ""}}, f.refuse
		},
		account:  func(context.Context, *authority) (string, error) { return "https://ca.example/acct/7", nil },
		register: func(context.Context, *authority) (string, error) { return "https://ca.example/acct/7", f.refuse },
		lacks:    func(*authority) bool { return f.without }, now: time.Now, offer: f.pending.presentHTTP,
		dial: f.dial(t), machine: func() []netip.Addr {
			return []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.4"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
		},
	}
	return f
}

// dial serves one connection to a registered address.
func (f *flight) dial(t *testing.T) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		f.dialled <- address
		host, _, _ := net.SplitHostPort(address)
		handler, ok := f.servers[host]
		if !ok {
			return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
		}
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
}

// us answers as our own plain listener does.
func (f *flight) us(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.URL.Path, "/.well-known/acme-challenge/")
	answer, ok := f.pending.http01(r.Host, token)
	if !ok {
		http.NotFound(w, r)
		return
	}
	fmt.Fprint(w, answer)
}

// testProviders: one provider for all tenants, one for globex alone.
func testProviders(t *testing.T) *dns01.Providers {
	at := conf.Pos{File: "t.yaml", Line: 1, Col: 1}
	spec := func(zone string, tenants ...string) dns01.ProviderSpec {
		s := dns01.ProviderSpec{Pos: at, Exec: &dns01.ExecSpec{Program: conf.At[string]{V: "/bin/true", Pos: at}}}
		s.Zones = conf.List[string]{Items: []conf.At[string]{{V: zone, Pos: at}}, Pos: at}
		for _, tenant := range tenants {
			s.Tenants.Pos = at
			s.Tenants.Items = append(s.Tenants.Items, conf.At[string]{V: tenant, Pos: at})
		}
		return s
	}
	var r conf.Report
	ps := dns01.Compile(conf.Map[dns01.ProviderSpec]{
		{Key: "ours", Pos: at, V: spec("challenges.example", "acme")},
		{Key: "theirs", Pos: at, V: spec("globex.example", "globex")},
	}, nil, nil, &r)
	if r.Faults() > 0 {
		t.Fatal(r.Findings())
	}
	return ps
}

func TestPreflight(t *testing.T) {
	tests := []struct {
		title   string
		host    string
		tenant  string // acme
		records []string
		faults  map[string]dnstest.Fault
		servers func(f *flight) map[string]http.HandlerFunc
		edit    func(f *flight)

		state  State
		unsure bool
		silent bool // it is the authority that does not answer, which stops no order
		record string
		says   string // in the detail, or in a step where all is well
		kinds  string
	}{
		{title: "ours", records: []string{"pa.acme.example. A 192.0.2.1"}, says: "leads here (192.0.2.1)", kinds: "http-01 tls-alpn-01"},
		{title: "both families", records: []string{"pa.acme.example. A 192.0.2.1", "pa.acme.example. AAAA 2001:db8::1"}, says: "leads here (192.0.2.1, 2001:db8::1)", kinds: "http-01 tls-alpn-01"},
		{title: "by an alias", records: []string{"pa.acme.example. CNAME lb.hosted.example.", "lb.hosted.example. A 192.0.2.1"}, says: "leads here", kinds: "http-01 tls-alpn-01"},
		{title: "no such name", state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "no such name"},
		{title: "no address", records: []string{"pa.acme.example. TXT x"}, state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "has no A or AAAA record"},
		{title: "alias without address", records: []string{"pa.acme.example. CNAME lb.hosted.example.", "lb.hosted.example. TXT x"}, state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "alias of lb.hosted.example"},
		{title: "alias to nothing", records: []string{"pa.acme.example. CNAME gone.hosted.example."}, state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "gone.hosted.example: no such name"},
		{title: "alias in a circle", records: []string{"pa.acme.example. CNAME pa.acme.example."}, state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "too many aliases"},
		{title: "elsewhere", records: []string{"pa.acme.example. A 203.0.113.5"}, state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "203.0.113.5 (not ours; port 80 cannot be reached)"},
		{title: "private", records: []string{"pa.acme.example. A 10.0.0.4"}, state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "10.0.0.4 (a private address, which leads to no public server)"},
		{title: "loopback", records: []string{"pa.acme.example. A 127.0.0.1"}, state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "127.0.0.1 (a loopback address"},
		{title: "metadata", records: []string{"pa.acme.example. A 169.254.169.254", "pa.acme.example. AAAA 64:ff9b::a9fe:a9fe"}, state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "64:ff9b::a9fe:a9fe (a translated address"},
		{title: "one of two", records: []string{"pa.acme.example. A 192.0.2.1", "pa.acme.example. A 203.0.113.5"}, says: "and elsewhere: 203.0.113.5", kinds: "http-01 tls-alpn-01"},
		{
			title: "behind address translation", records: []string{"pa.acme.example. A 203.0.113.5"},
			servers: func(f *flight) map[string]http.HandlerFunc { return map[string]http.HandlerFunc{"203.0.113.5": f.us} },
			says:    "leads here (203.0.113.5)", kinds: "http-01 tls-alpn-01",
		},
		{
			title: "somebody else answers", records: []string{"pa.acme.example. AAAA 2001:db8:f::5"},
			servers: func(*flight) map[string]http.HandlerFunc {
				return map[string]http.HandlerFunc{"2001:db8:f::5": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") }}
			},
			state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "somebody else answers at port 80, with status 200",
		},
		{
			title: "a redirect is not followed", records: []string{"pa.acme.example. A 203.0.113.5"},
			servers: func(*flight) map[string]http.HandlerFunc {
				return map[string]http.HandlerFunc{"203.0.113.5": func(w http.ResponseWriter, r *http.Request) {
					http.Redirect(w, r, "http://169.254.169.254/", http.StatusFound)
				}}
			},
			state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "with status 302",
		},
		{
			title: "not HTTP", records: []string{"pa.acme.example. A 203.0.113.5"},
			servers: func(*flight) map[string]http.HandlerFunc {
				return map[string]http.HandlerFunc{"203.0.113.5": func(w http.ResponseWriter, _ *http.Request) {
					c, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						return
					}
					_, _ = c.Write([]byte("220 mail.example ESMTP\r\n"))
					_ = c.Close()
				}}
			},
			state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "does not speak HTTP",
		},
		{
			title: "addresses of the settings", records: []string{"pa.acme.example. A 10.9.9.9"},
			edit: func(f *flight) { f.settings.preflight.addresses = []netip.Addr{netip.MustParseAddr("10.9.9.9")} },
			says: "leads here", kinds: "http-01 tls-alpn-01",
		},
		{
			title: "the machine's own do not count beside them", records: []string{"pa.acme.example. A 192.0.2.1"},
			edit: func(f *flight) {
				f.settings.preflight.addresses = []netip.Addr{netip.MustParseAddr("198.51.100.9"), netip.MustParseAddr("2001:db8::9")}
			},
			state: StatePendingDNS, record: "pa.acme.example. A 198.51.100.9", says: "192.0.2.1 (not ours",
		},
		{
			title: "a private authority", records: []string{"pa.acme.example. A 10.0.0.4"},
			edit: func(f *flight) { f.ca.Name = "https://ca.hosted.example/directory" },
			says: "leads here (10.0.0.4)", kinds: "http-01 tls-alpn-01",
		},
		{
			title: "no address of ours is known", records: []string{"pa.acme.example. A 203.0.113.5"},
			edit:  func(f *flight) { f.machine = func() []netip.Addr { return nil } },
			state: StatePendingDNS, says: "preflight.addresses of acme can say it",
		},
		{
			title: "resolver down", records: []string{"pa.acme.example. A 192.0.2.1"}, faults: map[string]dnstest.Fault{".": dnstest.ServFail},
			unsure: true, says: "says nothing about the host",
		},
		{
			title: "resolver refuses", records: []string{"pa.acme.example. A 192.0.2.1"}, faults: map[string]dnstest.Fault{".": dnstest.Refuse},
			unsure: true, says: "refused (REFUSED)",
		},
		{
			title: "the domain's servers are down", records: []string{"pa.acme.example. A 192.0.2.1"}, faults: map[string]dnstest.Fault{"acme.example": dnstest.ServFail},
			state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "delegation is lame); the resolver works otherwise",
		},
		{
			title: "CAA forbids", records: []string{"pa.acme.example. A 192.0.2.1", `acme.example. CAA 0 issue "other.example"`},
			state: StatePendingCAA, record: `acme.example. CAA 0 issue "letsencrypt.org"`, says: "do not name this authority",
		},
		{
			title: "CAA narrows", records: []string{"pa.acme.example. A 192.0.2.1", `pa.acme.example. CAA 0 issue "letsencrypt.org; validationmethods=tls-alpn-01"`},
			says: "let letsencrypt issue", kinds: "tls-alpn-01",
		},
		{
			title: "CAA does not answer", records: []string{"pa.acme.example. A 192.0.2.1"}, edit: func(f *flight) { f.dns.Fault("acme.example", dnstest.ServFail, "CAA") },
			state: StatePendingCAA, says: "an authority that gets no answer about CAA issues nothing",
		},
		{
			title: "address and CAA", records: []string{"pa.acme.example. A 203.0.113.5", `acme.example. CAA 0 issue ";"`},
			state: StatePendingDNS, record: "pa.acme.example. A 192.0.2.1", says: "does not lead here",
		},
		{
			title: "CAA and an authority that is down", records: []string{"pa.acme.example. A 192.0.2.1", `acme.example. CAA 0 issue "x.example"`},
			edit:   func(f *flight) { f.refuse = errors.New("it is down") },
			unsure: true, silent: true, says: "it is down",
		},
		{
			title: "wildcard without delegation", host: "*.acme.example",
			state: StatePendingDNS, record: "_acme-challenge.acme.example. CNAME acme.example.challenges.example.", says: "no dns provider that admits",
		},
		{
			title: "wildcard with delegation", host: "*.acme.example", records: []string{"_acme-challenge.acme.example. CNAME acme.example.challenges.example."},
			says: `dns provider "ours" writes acme.example.challenges.example`, kinds: "dns-01",
		},
		{
			title: "wildcard delegated to another tenant's provider", host: "*.acme.example", records: []string{"_acme-challenge.acme.example. CNAME pa.globex.example."},
			state: StatePendingDNS, record: "_acme-challenge.acme.example. CNAME acme.example.challenges.example.", says: "no dns provider that admits",
			edit: func(f *flight) { f.dns.Zone("globex.example") },
		},
		{title: "wildcard of a tenant without providers", host: "*.acme.example", tenant: "initech", state: StateParked, says: "no dns provider admits the tenant"},
		{
			title: "wildcard while DNS is down", host: "*.acme.example", faults: map[string]dnstest.Fault{".": dnstest.ServFail},
			unsure: true, says: "says nothing about the host",
		},
		{
			title: "elsewhere, but dns-01 can", host: "pa.challenges.example", records: []string{"pa.challenges.example. A 203.0.113.5"},
			says: "does not lead here", kinds: "dns-01",
		},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			f := newFlight(t)
			f.dns.Add(tt.records...)
			for name, fault := range tt.faults {
				f.dns.Fault(name, fault)
			}
			if tt.servers != nil {
				f.servers = tt.servers(f)
			}
			if tt.edit != nil {
				tt.edit(f)
			}
			h := Host{Name: "pa.acme.example", Tenant: "acme"}
			if tt.host != "" {
				h.Name = tt.host
			}
			if tt.tenant != "" {
				h.Tenant = tt.tenant
			}
			r := f.report(t.Context(), h, f.ca, f.settings)
			if r.State != tt.state || r.Unsure != tt.unsure || r.Record != tt.record {
				t.Errorf("state %q, unsure %v, record %q; want %q, %v, %q\n%+v", r.State, r.Unsure, r.Record, tt.state, tt.unsure, tt.record, r)
			}
			text := r.Detail
			if r.Fine() {
				for _, step := range r.Steps {
					text += step.Text + "\n"
				}
			}
			if !strings.Contains(text, tt.says) || strings.Contains(r.Detail+r.Record, "\n") {
				t.Errorf("%q does not say %q", text, tt.says)
			}
			if got := strings.Join(r.Challenges, " "); got != tt.kinds {
				t.Errorf("challenges %q, want %q", got, tt.kinds)
			}
			if f.pending.http.Load() != nil {
				t.Error("a token of a probe is left")
			}
			got := f.look(t.Context(), h, f.ca, f.settings)
			detail := r.Detail
			if tt.silent {
				detail = ""
			}
			if got.state != tt.state || got.unsure != (tt.unsure && !tt.silent) || got.record != tt.record || got.detail != detail {
				t.Errorf("look %+v of %+v", got, tt)
			}
			if kinds := strings.Join(got.kindsAt(f.ca), " "); !tt.silent && kinds != tt.kinds {
				t.Errorf("the order may use %q, want %q", kinds, tt.kinds)
			}
		})
	}
}

// What is special is never dialled, and of the rest no more than a few.
func TestProbesAreBounded(t *testing.T) {
	f := newFlight(t)
	for i := range 40 {
		f.dns.Add(fmt.Sprintf("pa.acme.example. A 203.0.113.%d", i))
		f.dns.Add(fmt.Sprintf("in.acme.example. A 10.7.0.%d", i))
	}
	r := f.report(t.Context(), Host{Name: "in.acme.example", Tenant: "acme"}, f.ca, f.settings)
	if len(f.dialled) != 0 || r.State != StatePendingDNS {
		t.Errorf("%d private addresses were dialled; %+v", len(f.dialled), r)
	}
	r = f.report(t.Context(), Host{Name: "pa.acme.example", Tenant: "acme"}, f.ca, f.settings)
	if len(f.dialled) != probesMost || len(r.Addresses) != addressesMost {
		t.Errorf("%d probes, %d addresses told; want %d and %d", len(f.dialled), len(r.Addresses), probesMost, addressesMost)
	}
	close(f.dialled)
	for address := range f.dialled {
		if !strings.HasSuffix(address, ":80") {
			t.Errorf("dialled %s", address)
		}
	}
}

// A server that says nothing, or does not end, holds nobody up.
func TestProbeOfASlowServer(t *testing.T) {
	f := newFlight(t)
	f.dns.Add("pa.acme.example. A 203.0.113.5")
	f.servers["203.0.113.5"] = func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 4096)); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
	}
	r := f.report(t.Context(), Host{Name: "pa.acme.example", Tenant: "acme"}, f.ca, f.settings)
	if r.State != StatePendingDNS || !strings.Contains(r.Detail, "somebody else answers") {
		t.Errorf("endless: %+v", r)
	}
	f.servers["203.0.113.5"] = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	reaches, why := f.probe(ctx, "pa.acme.example", netip.MustParseAddr("203.0.113.5"))
	if reaches || why != "not ours; port 80 does not answer" {
		t.Errorf("silent: %v, %q", reaches, why)
	}
}

// The directory is looked at as well, where a person asks.
func TestPreflightOfTheAuthority(t *testing.T) {
	f := newFlight(t)
	f.dns.Add("pa.acme.example. A 192.0.2.1")
	last := func(h Host) PreflightStep {
		h.Name, h.Tenant = "pa.acme.example", "acme"
		steps := f.report(t.Context(), h, f.ca, f.settings).Steps
		return steps[len(steps)-1]
	}
	tests := []struct {
		h    Host
		ca   authority
		err  error
		want PreflightStep
	}{
		{Host{}, authority{Name: "letsencrypt"}, nil, PreflightStep{Name: "authority", Fine: true, Text: "letsencrypt answers; it offers the profiles classic, shortlived"}},
		{Host{Profile: "shortlived"}, authority{Name: "letsencrypt"}, nil, PreflightStep{Name: "authority", Fine: true, Text: "letsencrypt answers; it offers the profiles classic, shortlived"}},
		{Host{Profile: "eternal"}, authority{Name: "letsencrypt"}, nil, PreflightStep{Name: "authority", Text: `letsencrypt does not offer the profile "eternal"; it offers classic, shortlived`}},
		{Host{}, authority{Name: "letsencrypt"}, errors.New("read its directory: refused"), PreflightStep{Name: "authority", Text: "read its directory: refused"}},
	}
	for _, tt := range tests {
		f.ca, f.refuse = &tt.ca, tt.err
		if diff := cmp.Diff(tt.want, last(tt.h)); diff != "" {
			t.Error(diff)
		}
	}
	f.refuse = nil
	f.describe = func(context.Context, *authority) (*directory, error) { return &directory{EABRequired: true}, nil }
	if step := last(Host{}); step.Fine || !strings.Contains(step.Text, "external account binding") {
		t.Errorf("%+v", step)
	}
}

func TestSpecialAddresses(t *testing.T) {
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.1.2.3", "127.0.0.1", "100.64.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1", "192.0.0.8", "168.63.129.16", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:192.0.2.1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "fec0::1", "100::1",
	} {
		if special(netip.MustParseAddr(text)) == "" {
			t.Errorf("%s counts as one of the open internet", text)
		}
	}
	for _, text := range []string{"192.0.2.1", "9.9.9.9", "100.63.0.1", "172.32.0.1", "2001:db8::1", "2606:4700::1111"} {
		if why := special(netip.MustParseAddr(text)); why != "" {
			t.Errorf("%s is %s", text, why)
		}
	}
}
