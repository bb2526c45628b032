package e2e

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
)

// sClient runs openssl's client and gives what it says about the handshake.
func (w *world) sClient(t *testing.T, from string, args ...string) string {
	t.Helper()
	all := []string{
		"s_client", "-connect", fmt.Sprintf("127.0.0.1:%d", w.https), "-bind", from + ":0",
		"-CAfile", w.rootFile(t), "-verify_return_error", "-brief",
	}
	got := command(t, "", tool(t, "openssl"), append(all, args...)...)
	return got.stdout + got.stderr
}

// TestUnknownName: a name that nobody serves, and no name at all, get the alert unrecognized_name and no certificate.
func TestUnknownName(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	for _, version := range []string{"-tls1_2", "-tls1_3"} {
		for _, name := range [][]string{
			{"-servername", "nobody.example"},
			{"-servername", "deep.shop.acme.example"},
			{"-noservername"},
		} {
			said := w.sClient(t, auditor, append(name, version)...)
			if !strings.Contains(said, "alert number 112") {
				t.Errorf("openssl %v %s: no alert 112:\n%s", name, version, said)
			}
			if strings.Contains(said, "Peer certificate") {
				t.Errorf("openssl %v %s: a certificate was shown:\n%s", name, version, said)
			}
		}
	}
}

// TestVersions: TLS 1.2 and 1.3 verify, older ones and weak suites are refused.
func TestVersions(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	name := []string{"-servername", "acme.example", "-verify_hostname", "acme.example"}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-tls1_3"}, "Protocol version: TLSv1.3"},
		{[]string{"-tls1_2"}, "Protocol version: TLSv1.2"},
		{[]string{"-tls1_2"}, "Verification: OK"},
		{[]string{"-tls1_2", "-cipher", "ECDHE+AESGCM"}, "Ciphersuite: ECDHE-ECDSA-AES"},
		{[]string{"-tls1_1", "-cipher", "ALL:@SECLEVEL=0"}, "alert protocol version"},
		{[]string{"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256:@SECLEVEL=0"}, "alert handshake failure"},
	} {
		if said := w.sClient(t, clientOfAcme, append(tt.args, name...)...); !strings.Contains(said, tt.want) {
			t.Errorf("openssl %v: want %q:\n%s", tt.args, tt.want, said)
		}
	}
}

// TestModern: a host may take TLS 1.3 alone, and an authority of another TLS policy is not answered on its connection.
func TestModern(t *testing.T) {
	w := newWorld(t)
	w.write(t, "tenants/acme.yaml", strings.Replace(acmeText(w.acme.url()),
		`"*.acme.example"]`, `"*.acme.example", {host: strict.acme.example, tls: {profile: modern}}]`, 1))
	w.start(t)
	if _, err := w.dial(t, clientOfAcme, "strict.acme.example", only(tls.VersionTLS12)); err == nil {
		t.Error("TLS 1.2 is taken by a host with the modern profile")
	}
	c, err := w.dial(t, clientOfAcme, "acme.example", only(tls.VersionTLS12))
	if err != nil {
		t.Fatal(err)
	}
	answer, _, err := exchange(c, plainGet("/", "strict.acme.example"))
	if err != nil || answer.StatusCode != 421 {
		t.Errorf("another policy's host on a TLS 1.2 connection: %v, %v, want 421", answer, err)
	}
}

// only allows one version of TLS.
func only(version uint16) func(*tls.Config) {
	return func(c *tls.Config) { c.MinVersion, c.MaxVersion = version, version }
}

// TestPostQuantum: the hybrid key exchange is on offer.
func TestPostQuantum(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	c, err := w.dial(t, clientOfAcme, "acme.example", func(c *tls.Config) { c.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768} })
	if err != nil {
		t.Fatal(err)
	}
	if got := c.ConnectionState().CurveID; got != tls.X25519MLKEM768 {
		t.Errorf("key exchange = %v, want X25519MLKEM768", got)
	}
}
