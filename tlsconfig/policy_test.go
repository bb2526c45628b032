package tlsconfig

import (
	"bytes"
	"crypto/tls"
	"slices"
	"strings"
	"testing"
)

// unrecognizedName is the record of the fatal alert 112 (RFC 6066 section 3),
// after its version.
var unrecognizedName = []byte{0, 2, 2, 112}

func TestUnknownNameIsRefusedBeforeAnySignature(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		c, key := counted(t, "a.example")
		d := newDoor(c)
		withTicket := d.client("a.example", version, new(oneSession))
		d.shake(t, withTicket)
		if !d.shake(t, withTicket).server.DidResume {
			t.Fatal("there is no good ticket to offer")
		}
		withTicket.ServerName = "unknown.example"
		noName := d.client("", version, nil)
		noProtocol := d.client("unknown.example", version, nil)
		noProtocol.NextProtos = []string{"none"}
		before := key.signatures.Load()
		answers := map[string][]byte{}
		for name, client := range map[string]*tls.Config{
			"without a ticket":                  d.client("unknown.example", version, nil),
			"with the ticket of a known host":   withTicket,
			"no name":                           noName,
			"no protocol in common":             noProtocol,
			"name that only looks like a known": d.client("a.example.evil", version, nil),
		} {
			r := handshake(d.config(), client)
			if r.clientErr == nil || !strings.Contains(r.clientErr.Error(), "unrecognized name") {
				t.Errorf("%s: client: %v, want unrecognized_name", name, r.clientErr)
			}
			answers[name] = r.answer
			if len(r.answer) != 7 || r.answer[0] != 21 || !bytes.HasSuffix(r.answer, unrecognizedName) {
				t.Errorf("%s: the server sent %x, want one alert", name, r.answer)
			}
		}
		for name, answer := range answers {
			if !bytes.Equal(answer, answers["without a ticket"]) {
				t.Errorf("%s: the answer %x tells it from an unknown host, %x", name, answer, answers["without a ticket"])
			}
		}
		if key.signatures.Load() != before {
			t.Error("a signature was made for an unknown host")
		}
	})
}

func TestNoCertificate(t *testing.T) {
	bothVersions(t, func(t *testing.T, version uint16) {
		d := newDoor()
		d.tenants["bare.example"] = "one"
		r := handshake(d.config(), d.client("bare.example", version, nil))
		if !bytes.HasSuffix(r.answer, unrecognizedName) {
			t.Errorf("the server sent %x, want unrecognized_name", r.answer)
		}
	})
}

func TestProfileVersions(t *testing.T) {
	c, _ := counted(t, "a.example")
	d := newDoor(c)
	for _, test := range []struct {
		profile Profile
		version uint16
		want    bool
	}{
		{Intermediate, tls.VersionTLS10, false},
		{Intermediate, tls.VersionTLS11, false},
		{Intermediate, tls.VersionTLS12, true},
		{Intermediate, tls.VersionTLS13, true},
		{Modern, tls.VersionTLS12, false},
		{Modern, tls.VersionTLS13, true},
	} {
		d.profiles["a.example"] = test.profile
		r := handshake(d.config(), d.client("a.example", test.version, nil))
		if got := r.clientErr == nil; got != test.want {
			t.Errorf("%v with %s: %v, want success %v", test.profile, tls.VersionName(test.version), r.clientErr, test.want)
		}
	}
}

// TestSuites12 offers every suite that crypto/tls can, one at a time.
func TestSuites12(t *testing.T) {
	d := newDoor(certificate(t, ecdsaKey(), "a.example"), certificate(t, rsaKey(), "a.example"))
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
			continue
		}
		client := d.client("a.example", tls.VersionTLS12, nil)
		client.CipherSuites = []uint16{suite.ID}
		r := handshake(d.config(), client)
		want := strings.HasPrefix(suite.Name, "TLS_ECDHE_") &&
			(strings.Contains(suite.Name, "_GCM_") || strings.Contains(suite.Name, "_CHACHA20_POLY1305_"))
		if got := r.clientErr == nil; got != want {
			t.Errorf("%s: %v, want success %v", suite.Name, r.clientErr, want)
		}
	}
}

func TestKeyExchange(t *testing.T) {
	c, _ := counted(t, "a.example")
	d := newDoor(c)
	for _, test := range []struct {
		offered []tls.CurveID
		want    tls.CurveID // 0: refused
	}{
		{nil, tls.X25519MLKEM768},
		{[]tls.CurveID{tls.X25519MLKEM768, tls.X25519}, tls.X25519MLKEM768},
		{[]tls.CurveID{tls.X25519}, tls.X25519},
		{[]tls.CurveID{tls.CurveP256}, tls.CurveP256},
		{[]tls.CurveID{tls.CurveP384}, tls.CurveP384},
		{[]tls.CurveID{tls.CurveP521}, 0},
	} {
		client := d.client("a.example", tls.VersionTLS13, nil)
		client.CurvePreferences = test.offered
		if r := handshake(d.config(), client); r.client.CurveID != test.want {
			t.Errorf("offered %v: %v (%v), want %v", test.offered, r.client.CurveID, r.clientErr, test.want)
		}
	}
}

func TestProtocols(t *testing.T) {
	c, _ := counted(t, "a.example")
	d := newDoor(c)
	for _, test := range []struct {
		offered []string
		want    string
		refused bool
	}{
		{[]string{"http/1.1", "h2"}, "h2", false},
		{[]string{"http/1.1"}, "http/1.1", false},
		{[]string{"http/1.0", "http/1.1"}, "http/1.1", false},
		{[]string{"http/1.0"}, "http/1.0", false},
		{nil, "", false},
		{[]string{"spdy/3"}, "", true},
	} {
		client := d.client("a.example", tls.VersionTLS13, nil)
		client.NextProtos = test.offered
		r := handshake(d.config(), client)
		if r.client.NegotiatedProtocol != test.want || (r.clientErr != nil) != test.refused {
			t.Errorf("offered %v: %q, %v, want %q", test.offered, r.client.NegotiatedProtocol, r.clientErr, test.want)
		}
	}
}

func TestConfigsAreShared(t *testing.T) {
	p := newDoor().policies
	modern, again := p.Config(Modern), p.Config(Modern)
	if modern != again || modern == p.Config(Intermediate) {
		t.Error("a profile has not one configuration of its own")
	}
	if p.Config(profileCount) != modern {
		t.Error("an unknown profile is not the strictest")
	}
}
