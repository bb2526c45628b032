package proxy

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRequestsReachTheirTenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	for _, h2 := range []bool{false, true} {
		c := w.client("direct", "127.0.0.2", h2)
		for url, want := range map[string]string{
			"https://a.example/":             "acme for 127.0.0.2",
			"https://A.Example:8443/x":       "acme for 127.0.0.2",
			"https://one.apps.example/login": "acme for 127.0.0.2",
			"https://b.example/":             "globex for 127.0.0.2",
		} {
			if status, body := w.get(c, url); status != 200 || body != want {
				t.Errorf("HTTP/2 %v: GET %s = %d %q, want %q", h2, url, status, body, want)
			}
		}
	}
	eventually(t, "the access log has the requests", func() bool {
		return strings.Count(w.log.String(), `"status":200`) >= 8
	})
	for _, want := range []string{`"tenant":"acme","client":"127.0.0.2","host":"one.apps.example","method":"GET","path":"/login","protocol":"HTTP/2.0"`} {
		if !strings.Contains(w.log.String(), want) {
			t.Errorf("the access log lacks %s:\n%s", want, w.log)
		}
	}
	if n := counter(t, w.metrics, `gatehouse_requests_total{class="2xx",tenant="globex"}`); n != 2 {
		t.Errorf("%v requests of globex are counted, want 2", n)
	}
	if n := counter(t, w.metrics, `gatehouse_requests_in_flight{tenant="globex"}`); n != 0 {
		t.Errorf("%v requests of globex are in flight at the end, want 0", n)
	}
}

func TestRefusedClientGets403(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	for _, h2 := range []bool{false, true} {
		status, body := w.get(w.client("direct", "127.0.0.3", h2), "https://a.example/")
		if status != 403 || strings.Contains(body, "acme") {
			t.Errorf("HTTP/2 %v: %d %q, want 403 and no name", h2, status, body)
		}
	}
	eventually(t, "both refusals are counted", func() bool {
		return counter(t, w.metrics, `gatehouse_refusals_total{reason="ip_not_allowed",tenant="acme"}`) == 2
	})
}

// recorder keeps what the server sent.
type recorder struct {
	net.Conn
	got []byte
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.got = append(r.got, p[:n]...)
	return n, err
}

// greet tries a handshake and returns its error and what the server sent.
func (w *world) greet(ip string, config *tls.Config) (string, error) {
	w.t.Helper()
	raw, err := from(ip).Dial("tcp", w.addr("direct"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer raw.Close()
	r := &recorder{Conn: raw}
	c := tls.Client(r, config)
	_ = raw.SetDeadline(time.Now().Add(patience))
	err = c.Handshake()
	_, _ = io.Copy(io.Discard, r)
	return string(r.got), err
}

// isUnrecognizedName reports whether a handshake ended with the alert of RFC
// 6066 section 3. The type of alerts from the other side is not exported.
func isUnrecognizedName(err error) bool {
	return err != nil && strings.HasSuffix(err.Error(), "remote error: tls: unrecognized name")
}

// TestUnknownNamesLookAlike: unknown, absent and hidden names get the same
// alert, byte for byte, on both versions.
func TestUnknownNamesLookAlike(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{
		"acme": twoTenants["acme"],
		"globex": `
hosts: [b.example, {host: hidden.example, access: {allow: [127.0.0.9], refuse_with: handshake}}]
access: {public: "a test"}
backends: ["{backend}"]
`,
	})
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		var first string
		for _, host := range []string{"nobody.example", "hidden.example", "deep.one.apps.example", "127.0.0.1", ""} {
			config := w.tlsConfig(host, "h2")
			config.MinVersion, config.MaxVersion = version, version
			config.InsecureSkipVerify = host == ""
			got, err := w.greet("127.0.0.1", config)
			if !isUnrecognizedName(err) {
				t.Errorf("%s for %q: %v, want unrecognized_name", tls.VersionName(version), host, err)
			}
			if first == "" {
				first = got
			}
			if got != first || got == "" {
				t.Errorf("%s for %q: the server sent %x, want %x", tls.VersionName(version), host, got, first)
			}
		}
		config := w.tlsConfig("hidden.example")
		config.MinVersion, config.MaxVersion = version, version
		if _, err := w.tryDial("127.0.0.9", config); err != nil {
			t.Errorf("whom the hidden host admits: %v", err)
		}
	}
}

// oneSession offers the same session to every host.
type oneSession struct{ session *tls.ClientSessionState }

func (o *oneSession) Get(string) (*tls.ClientSessionState, bool) {
	return o.session, o.session != nil
}

func (o *oneSession) Put(_ string, s *tls.ClientSessionState) {
	if s != nil {
		o.session = s
	}
}

// TestResumption: a session resumes for its own host, and for nobody else's.
func TestResumption(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cache := &oneSession{}
		visit := func(host string) (resumed bool, err error) {
			config := w.tlsConfig(host, "http/1.1")
			config.MinVersion, config.MaxVersion, config.ClientSessionCache = version, version, cache
			c, err := w.tryDial("127.0.0.1", config)
			if err != nil {
				return false, err
			}
			defer c.Close()
			if got := ask(t, c, get11(host, "/")); got.StatusCode != 200 {
				t.Errorf("%s: status %d", host, got.StatusCode)
			}
			return c.ConnectionState().DidResume, nil
		}
		for _, step := range []struct {
			host string
			want bool
		}{{"a.example", false}, {"a.example", true}, {"b.example", false}} {
			resumed, err := visit(step.host)
			if err != nil || resumed != step.want {
				t.Errorf("%s: a visit to %s resumes: %v (%v), want %v", tls.VersionName(version), step.host, resumed, err, step.want)
			}
		}
		if cache.session == nil {
			t.Fatal("the client has no session to offer")
		}
		if _, err := visit("nobody.example"); err == nil {
			t.Errorf("%s: a session opens the door of an unknown host", tls.VersionName(version))
		}
	}
}

// TestNoCertificate: a host without one is as unknown as any other.
func TestNoCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"acme": `
hosts: [a.example, one.two.test]
access: {public: "a test"}
backends: ["{backend}"]
`})
	_, err := w.tryDial("127.0.0.1", w.tlsConfig("one.two.test"))
	if !isUnrecognizedName(err) {
		t.Errorf("%v, want unrecognized_name", err)
	}
	series := `gatehouse_connection_refusals_total{listener="` + w.addr("direct") + `",reason="no_certificate"}`
	eventually(t, "the refusal is counted", func() bool { return counter(t, w.metrics, series) == 1 })
}

// TestRefusalsAreLoggedOnce: a scanner does not fill the log.
func TestRefusalsAreLoggedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	for range 5 {
		_, _ = w.tryDial("127.0.0.1", w.tlsConfig("nobody.example"))
	}
	_, _ = w.tryDial("127.0.0.4", w.tlsConfig("nobody.example"))
	eventually(t, "both addresses are logged", func() bool {
		return strings.Contains(w.events.String(), "client=127.0.0.4 reason=unknown_host sni=nobody.example")
	})
	if n := strings.Count(w.events.String(), "refused a connection"); n != 2 {
		t.Errorf("%d lines for two addresses", n)
	}
	series := `gatehouse_connection_refusals_total{listener="` + w.addr("direct") + `",reason="unknown_host"}`
	eventually(t, "all are counted", func() bool { return counter(t, w.metrics, series) == 6 })
}

// TestBlockBeforeAnyByte: a blocked client is closed without having said
// anything.
func TestBlockBeforeAnyByte(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.main = "block: [127.0.0.2]\ndefaults: {timeouts: {header: 1m}}\n" // so that nothing else ends them
	w.apply()
	for _, listener := range []string{"direct", "plain"} {
		c, err := from("127.0.0.2").Dial("tcp", w.addr(listener))
		if err != nil {
			continue // the RST was faster
		}
		defer c.Close()
		if got := endsWithin(t, c, inTime); got != "" {
			t.Errorf("%s: a blocked client hears %q", listener, got)
		}
	}
	if status, _ := w.get(w.client("direct", "127.0.0.1", true), "https://a.example/"); status != 200 {
		t.Errorf("whoever is not blocked gets %d", status)
	}
}

// TestStalledHandshake: whoever says nothing is cut off in time.
func TestStalledHandshake(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	w.main = "defaults: {timeouts: {header: 1s}}\n"
	w.apply()
	began := time.Now()
	var stalled []net.Conn
	for _, says := range []string{"", "\x16\x03\x01\x02\x00\x01"} {
		c, err := net.Dial("tcp", w.addr("direct"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, says); err != nil {
			t.Fatal(err)
		}
		stalled = append(stalled, c)
	}
	for _, c := range stalled {
		endsWithin(t, c, 8*time.Second) // before the built-in time
		if took := time.Since(began); took < time.Second {
			t.Errorf("a handshake is cut off after %v, want 1 s at least", took)
		}
	}
}

// TestMisdirected: a connection of one tenant carries no request for another.
func TestMisdirected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, twoTenants)
	c := w.dial("127.0.0.1", "a.example")
	r := bufio.NewReader(c)
	for _, host := range []string{"b.example", "nobody.example", "b.example:99"} {
		_, _ = io.WriteString(c, get11(host, "/"))
		answer := readAnswer(t, r)
		if answer.StatusCode != http.StatusMisdirectedRequest || answer.Header.Get("X-Served-By") != "" {
			t.Errorf("Host: %s gets %d from %q, want 421 from us", host, answer.StatusCode, answer.Header.Get("X-Served-By"))
		}
	}
	_, _ = io.WriteString(c, get11("two.apps.example", "/"))
	if answer := readAnswer(t, r); answer.StatusCode != 200 {
		t.Errorf("another host of the tenant gets %d, want 200", answer.StatusCode)
	}
}
