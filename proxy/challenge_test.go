package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/tenancy"
)

// proofs are those that an authority looks for. The zero value has none.
type proofs struct {
	mu   sync.Mutex
	http map[string]string // by host and token
	tls  map[string]*tls.Certificate
}

func (p *proofs) HTTP01(host, token string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	proof, ok := p.http[host+" "+token]
	return proof, ok
}

func (p *proofs) TLSALPN01(name string) *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tls[name]
}

// pending makes proofs pending in place of the former ones.
func (p *proofs) pending(overHTTP map[string]string, overTLS map[string]*tls.Certificate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.http, p.tls = maps.Clone(overHTTP), maps.Clone(overTLS)
}

// hidesFromMost are hosts that refuse most clients, each as it says.
var hidesFromMost = map[string]string{
	"acme": `
hosts:
- a.example
- {host: hidden.example, access: {allow: [127.0.0.9], refuse_with: handshake}}
- {host: absent.example, access: {allow: [127.0.0.9], refuse_with: 404}}
access: {public: "a test"}
backends: ["{backend}"]
`,
}

const (
	testToken = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0"
	testProof = testToken + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
)

// TestProofOverHTTP: what is pending is answered whoever asks and whatever the
// host's access says; everything else is as if there were no challenges.
func TestProofOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hidesFromMost)
	w.proofs.pending(map[string]string{
		"a.example " + testToken:                            testProof,
		"hidden.example " + testToken:                       testProof,
		"absent.example " + testToken:                       testProof,
		"nobody.example " + testToken:                       testProof,
		"a.example " + "no/base64_url":                      testProof,
		"a.example ":                                        testProof,
		"a.example " + strings.Repeat("x", tokenBytesMax):   testProof,
		"a.example " + strings.Repeat("x", tokenBytesMax+1): testProof,
	}, nil)
	path := tenancy.ChallengePath + testToken
	for _, test := range []struct {
		request string
		status  int
		body    string
	}{
		{get11("a.example", path), 200, testProof},
		{get11("A.Example.:80", path), 200, testProof},
		{get11("hidden.example", path), 200, testProof},
		{get11("absent.example", path), 200, testProof},
		{get11("nobody.example", path), 200, testProof}, // whose the name is makes no difference
		{get11("a.example", tenancy.ChallengePath+strings.Repeat("x", tokenBytesMax)), 200, testProof},
		{"GET http://a.example" + path + " HTTP/1.1\r\nHost: a.example\r\n\r\n", 200, testProof},
		{"HEAD " + path + " HTTP/1.1\r\nHost: a.example\r\n\r\n", 200, ""},

		{"POST " + path + " HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n", 308, "page"},
		{get11("a.example", path+"?x"), 308, "page"},
		{get11("a.example", path+"/"), 308, "page"},
		{get11("a.example", path+"x"), 308, "page"},
		{get11("a.example", tenancy.ChallengePath), 308, "page"},
		{get11("a.example", tenancy.ChallengePath+"no/base64_url"), 308, "page"},
		{get11("a.example", tenancy.ChallengePath+strings.Repeat("x", tokenBytesMax+1)), 308, "page"},
		{get11("a.example", strings.ToUpper(tenancy.ChallengePath)+testToken), 308, "page"},
		{get11("a.example", "/x"+path), 308, "page"},
		{get11("hidden.example", "/"), 404, "page"},
		{get11("other.example", path), 404, "page"},
	} {
		c := w.plain()
		_, _ = io.WriteString(c, test.request)
		method, _, _ := strings.Cut(test.request, " ")
		answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%q: %v", test.request, err)
		}
		body, _ := io.ReadAll(answer.Body)
		got := string(body)
		if strings.Contains(got, "<!doctype html>") {
			got = "page"
		}
		if answer.StatusCode != test.status || got != test.body {
			t.Errorf("%q gets %d %q, want %d %q", test.request, answer.StatusCode, body, test.status, test.body)
		}
		if test.status == 200 && (answer.ContentLength != int64(len(testProof)) || answer.Header.Get("Content-Type") != "application/octet-stream") {
			t.Errorf("%q gets %d bytes of %q", test.request, answer.ContentLength, answer.Header.Get("Content-Type"))
		}
	}
}

// TestProofOverHTTPKeepsTheConnection: what follows on the connection is found.
func TestProofOverHTTPKeepsTheConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.proofs.pending(map[string]string{"a.example " + testToken: testProof}, nil)
	c := w.plain()
	_, _ = io.WriteString(c, get11("a.example", tenancy.ChallengePath+testToken)+get11("a.example", "/next"))
	r := bufio.NewReader(c)
	if answer := readAnswer(t, r); answer.StatusCode != 200 || bodyOf(answer) != testProof {
		t.Errorf("the proof is answered with %d", answer.StatusCode)
	}
	if answer := readAnswer(t, r); answer.StatusCode != 308 {
		t.Errorf("the request behind it gets %d, want 308", answer.StatusCode)
	}
	eventually(t, "the request for a proof is logged", func() bool {
		return strings.Contains(w.log.String(), `"path":"`+tenancy.ChallengePath+testToken+`","protocol":"HTTP/1.1","status":200,`)
	})
}

// TestNoProofOverHTTP: while nothing is pending the path tells nothing about a
// hidden host: not a byte differs from what any path of an unknown host gets.
func TestNoProofOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hidesFromMost)
	changing := regexp.MustCompile(`(Date|X-Request-Id): [^\r]*|<code>[^<]*`)
	exchange := func(request string) string {
		c := w.plain()
		_, _ = io.WriteString(c, request)
		return changing.ReplaceAllString(endsWithin(t, c, patience), "")
	}
	path := tenancy.ChallengePath + testToken
	want := exchange("GET / HTTP/1.1\r\nHost: nobody.example\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(want, "HTTP/1.1 404 ") {
		t.Fatalf("an unknown host gets %q", want)
	}
	for _, host := range []string{"nobody.example", "hidden.example", "absent.example"} {
		if got := exchange("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"); got != want {
			t.Errorf("%s gets %q, want %q", host, got, want)
		}
	}
}

// TestBlockedGetsNoProof: the block list is asked at accept, before any path.
func TestBlockedGetsNoProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.proofs.pending(map[string]string{"a.example " + testToken: testProof}, nil)
	w.main = "block: [127.0.0.1]"
	w.apply()
	c, err := from("127.0.0.1").Dial("tcp", w.addr("plain"))
	if err != nil {
		return // the RST was that fast
	}
	defer c.Close()
	_, _ = io.WriteString(c, get11("a.example", tenancy.ChallengePath+testToken))
	if got := endsWithin(t, c, patience); got != "" {
		t.Errorf("a blocked client gets %q", got)
	}
}

// validate looks for a proof as an authority does, and tells what came.
func validate(t *testing.T, raw net.Conn, name string, version uint16, protocols ...string) (leaf *tls.ConnectionState, err error) {
	t.Helper()
	cache := tls.NewLRUClientSessionCache(1)
	c := tls.Client(raw, &tls.Config{
		ServerName: name, InsecureSkipVerify: true, NextProtos: protocols,
		MinVersion: version, MaxVersion: version, ClientSessionCache: cache,
	})
	_ = raw.SetDeadline(time.Now().Add(patience))
	if err := c.Handshake(); err != nil {
		return nil, err
	}
	// Not a byte comes but the end, in order.
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("%s: read %d bytes, %v, want the end", name, n, err)
	}
	if _, ok := cache.Get(name); ok {
		t.Errorf("%s: a session to resume was issued", name)
	}
	state := c.ConnectionState()
	return &state, nil
}

// TestProofOverTLS: a pending proof is shown over direct connections and over
// those of a load balancer, whoever asks, and nothing but it.
func TestProofOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hidesFromMost)
	proof := newPair(t, "hidden.example").TLS()
	w.proofs.pending(nil, map[string]*tls.Certificate{"hidden.example": proof, "nobody.example": proof})
	direct := func() (net.Conn, error) { return from("127.0.0.1").Dial("tcp", w.addr("direct")) }
	proxied := func() (net.Conn, error) {
		raw, err := from(balancer).Dial("tcp", w.addr("proxied"))
		if err == nil {
			_, err = io.WriteString(raw, v2Header("192.0.2.7"))
		}
		return raw, err
	}
	shown := 0
	for way, dial := range map[string]func() (net.Conn, error){"direct": direct, "proxied": proxied} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, name := range []string{"hidden.example", "Hidden.Example", "nobody.example"} {
				raw, err := dial()
				if err != nil {
					t.Fatal(err)
				}
				state, err := validate(t, raw, name, version, "acme-tls/1")
				raw.Close()
				if err != nil {
					t.Errorf("%s, %s, %s: %v", way, tls.VersionName(version), name, err)
					continue
				}
				shown++
				if state.NegotiatedProtocol != "acme-tls/1" || !state.PeerCertificates[0].Equal(proof.Leaf) {
					t.Errorf("%s, %s, %s: %q with a certificate of %v", way, tls.VersionName(version), name, state.NegotiatedProtocol, state.PeerCertificates[0].DNSNames)
				}
			}
		}
	}
	if shown != 12 {
		t.Errorf("%d proofs were shown, want 12", shown)
	}
	for _, listener := range []string{"direct", "proxied"} {
		label := `{listener="` + w.addr(listener) + `"`
		eventually(t, "the connections end", func() bool {
			return counter(t, w.metrics, `gatehouse_connections`+label+`}`) == 0
		})
		if n := counter(t, w.metrics, `gatehouse_handshakes_total`+label+`}`); n != 6 {
			t.Errorf("%v handshakes are counted at the listener %s, want 6", n, listener)
		}
		for _, series := range []string{
			`gatehouse_connection_refusals_total` + label + `,reason="unknown_host"}`,
			`gatehouse_connection_refusals_total` + label + `,reason="ip_not_allowed"}`,
		} {
			if n := counter(t, w.metrics, series); n != 0 {
				t.Errorf("%s = %v, want 0", series, n)
			}
		}
	}
	if text := w.events.String(); strings.Contains(text, "refused a connection") || strings.Contains(text, "handshake ended early") {
		t.Error("a proof is logged as a refusal")
	}
}

// TestProofIsOnlyShownToWhoLooks: others get what they always get, also while a
// proof is pending.
func TestProofIsOnlyShownToWhoLooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hidesFromMost)
	proof := newPair(t, "a.example").TLS()
	w.proofs.pending(nil, map[string]*tls.Certificate{"a.example": proof, "hidden.example": proof})
	for _, protocols := range [][]string{nil, {"h2", "acme-tls/1"}, {"acme-tls/1", "http/1.1"}} {
		c, err := w.tryDial("127.0.0.1", w.tlsConfig("a.example", protocols...))
		if err != nil {
			t.Errorf("who offers %q: %v", protocols, err)
			continue
		}
		if got := c.ConnectionState(); got.PeerCertificates[0].Equal(proof.Leaf) || got.NegotiatedProtocol == "acme-tls/1" {
			t.Errorf("who offers %q gets %q and the proof", protocols, got.NegotiatedProtocol)
		}
		if _, err := w.tryDial("127.0.0.1", w.tlsConfig("hidden.example", protocols...)); !isUnrecognizedName(err) {
			t.Errorf("who offers %q for a hidden host: %v, want unrecognized_name", protocols, err)
		}
	}
}

// TestNoProofOverTLS: while nothing is pending every name is refused like an
// unknown one, byte for byte, also to whom the host admits.
func TestNoProofOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hidesFromMost)
	w.proofs.pending(nil, map[string]*tls.Certificate{"other.example": newPair(t, "other.example").TLS()})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := w.tlsConfig("nobody.example", "h2")
		config.MinVersion, config.MaxVersion = version, version
		want, _ := w.greet("127.0.0.1", config)
		for _, host := range []string{"nobody.example", "a.example", "hidden.example", "absent.example", strings.Repeat("x", 300) + ".example", ""} {
			for _, ip := range []string{"127.0.0.1", "127.0.0.9"} {
				config := w.tlsConfig(host, "acme-tls/1")
				config.MinVersion, config.MaxVersion = version, version
				config.InsecureSkipVerify = host == ""
				got, err := w.greet(ip, config)
				if !isUnrecognizedName(err) || got != want || got == "" {
					t.Errorf("%s for %q from %s: %v, and %x was sent, want unrecognized_name and %x", tls.VersionName(version), host, ip, err, got, want)
				}
			}
		}
	}
}

// TestNoChallenges: a server that obtains no certificates proves nothing.
func TestNoChallenges(t *testing.T) {
	t.Parallel()
	s := New(Options{})
	if got := s.tlsALPN01("a.example"); got != nil {
		t.Errorf("it shows %v", got)
	}
	ex := s.takeExchange()
	ex.method, ex.authority, ex.path = []byte("GET"), []byte("a.example"), []byte(tenancy.ChallengePath+testToken)
	if proof, ok := s.http01(ex); ok {
		t.Errorf("it answers %q", proof)
	}
}
