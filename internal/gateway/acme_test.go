package gateway

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/acme"
	"gatehouse/internal/admin"
	"gatehouse/tlsconfig"
)

// acmeText has every host ask an authority that nobody reaches.
const acmeMain = `version: 1
listen: {http: [], https: ["127.0.0.1:0"]}
include: [tenants/*.yaml]
tls:
  certificates:
    acme: {email: ops@host.example, ca: "https://127.0.0.1:9/dir"}
`

// withPair is the same with a pair of files before it.
var withPair = strings.Replace(acmeMain, "    acme:", "    - {cert: tls/cert.pem, key: {file: tls/key.pem}}\n    - acme:", 1)

// compact reads a pair as ACME hands it over.
func compact(t *testing.T, dir, cert, key string) *tlsconfig.Certificate {
	t.Helper()
	der := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		block, _ := pem.Decode(text)
		return block.Bytes
	}
	c, err := tlsconfig.Compact("acme", tlsconfig.Packed{Chain: [][]byte{der(cert)}, Key: der(key)}, tlsconfig.NewDecoded(1))
	must(t, err)
	return c
}

// TestMoveFromFilesToACME: a pair that is taken out of the files serves the hosts
// that wait for their first certificate by ACME, each as long as it waits, and
// no others.
func TestMoveFromFilesToACME(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", withPair, "tenants/acme.yaml", acmeAndAdmin)
	putPair(t, dir, "tls/cert.pem", "tls/key.pem", month, "acme.example", "*.acme.example", "gone.example")
	h := build(t, dir)
	var index *tlsconfig.Index
	h.presenter.publish = func(x *tlsconfig.Index) { index = x }
	h.put("gatehouse.yaml", acmeMain)
	if got := h.reload("uid 0"); !got.Applied {
		t.Fatalf("reload = %+v", got)
	}
	wantContains(t, h.said.take(), "a pair was taken out of the files", "pair=tls/cert.pem")
	wantServed := func(when string, want ...string) {
		t.Helper()
		var served []string
		for _, host := range []string{"acme.example", "admin.acme.example"} {
			if index.Find("acme", host, nil) != nil {
				served = append(served, host)
			}
		}
		if !slices.Equal(served, want) {
			t.Errorf("%s: served %q, want %q", when, served, want)
		}
	}
	wantServed("once the pair is gone", "acme.example", "admin.acme.example")
	putPair(t, dir, "one.pem", "one.key", month, "acme.example")
	putPair(t, dir, "two.pem", "two.key", month, "admin.acme.example")
	one, two := compact(t, dir, "one.pem", "one.key"), compact(t, dir, "two.pem", "two.key")
	h.presenter.setACME(map[string][]*tlsconfig.Certificate{"acme": {one}})
	if len(h.presenter.kept.pairs[""]) != 1 {
		t.Error("the pair goes while a host waits")
	}
	wantServed("with one of two certificates", "acme.example", "admin.acme.example")
	h.presenter.setACME(map[string][]*tlsconfig.Certificate{"acme": {one, two}})
	if len(h.presenter.kept.pairs) != 0 {
		t.Error("the pair stays although nobody waits")
	}
	wantServed("with both", "acme.example", "admin.acme.example")
	h.presenter.setACME(map[string][]*tlsconfig.Certificate{"acme": {}})
	wantServed("with none")
}

// TestPairsThatNobodyWaitsUnderGo: a pair that is renewed, or whose hosts ask the
// internal CA, is not kept.
func TestPairsThatNobodyWaitsUnderGo(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", withPair, "tenants/acme.yaml", acmeAndAdmin)
	putPair(t, dir, "tls/cert.pem", "tls/key.pem", month, "acme.example", "*.acme.example")
	h := build(t, dir)
	putPair(t, dir, "tls/cert.pem", "tls/key.pem", 2*month, "acme.example", "*.acme.example")
	h.reload("uid 0")
	if n := len(h.presenter.kept.pairs); n != 0 {
		t.Errorf("%d pairs are kept after a renewal", n)
	}
	h.put("gatehouse.yaml", mainText)
	h.reload("uid 0")
	if n := len(h.presenter.kept.pairs); n != 0 {
		t.Errorf("%d pairs are kept where the internal CA serves", n)
	}
}

// TestHostsGivenToACME: after each reload the manager has the hosts of the table
// that ask for it, whose they are, and the profile that they want.
func TestHostsGivenToACME(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", acmeMain, "tenants/acme.yaml", acmeAndAdmin,
		"tenants/globex.yaml", strings.NewReplacer("acme.example", "globex.example", "127.0.0.1:9", "127.0.0.1:19").Replace(acmeText)+"tls: {certificates: {acme: {profile: shortlived}}}\n")
	h := build(t, dir)
	want := func(when string, want ...string) {
		t.Helper()
		var got []string
		for _, s := range h.acme.Hosts() {
			got = append(got, fmt.Sprint(s.Host, " ", s.Tenant, " ", s.Profile))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
	}
	want("at first", "acme.example acme ", "admin.acme.example acme ", "globex.example globex shortlived")
	h.put("tenants/acme.yaml", acmeText+"tls: {certificates: {internal: true}}\n")
	h.reload("uid 0")
	want("once a tenant asks the internal CA", "globex.example globex shortlived")
	if list := summary(h.certificates()); list.States["queued"] != 1 || list.States["valid"] != 1 || len(list.Needs) != 0 {
		t.Errorf("summary = %+v", list)
	}
	if err := h.ready(); err == nil || err.Error() != "not accepting yet" {
		t.Errorf("ready = %v; a host without a certificate is no reason", err)
	}
}

// TestACMENeedsNoRestart: whatever changes about ACME is in use after a reload,
// a secret included whose text nobody touched.
func TestACMENeedsNoRestart(t *testing.T) {
	const withEAB = "  certificates:\n    acme: {email: ops@host.example, ca: zerossl, eab: {key_id: k1, hmac_key: {file: eab.key}}}\n"
	dir := tree(t, "gatehouse.yaml", acmeMain, "tenants/acme.yaml", acmeText, "eab.key", "c2VjcmV0\n")
	h := build(t, dir)
	first := h.issued
	text, _, _ := strings.Cut(acmeMain, "  certificates:")
	h.put("gatehouse.yaml", text+withEAB+"dns_providers: {corp: {zones: [acme.example], exec: {program: /bin/true}}}\n")
	got := h.reload("uid 0")
	if !got.Applied || len(got.Notes) != 0 || h.issued == first {
		t.Errorf("reload = %+v; want it applied, without a note", got)
	}
	second := h.issued
	if h.reload("uid 0"); h.issued != second {
		t.Error("a reload of the same files changes something")
	}
	h.put("eab.key", "YW5vdGhlcg\n")
	if got := h.reload("uid 0"); !got.Unchanged || h.issued == second {
		t.Errorf("reload = %+v; want the new secret in use", got)
	}
	h.put("eab.key", "not base64!\n")
	if got := h.reload("uid 0"); got.Applied || len(got.Findings) != 1 {
		t.Errorf("reload = %+v; want it refused", got)
	}
}

// TestCertificateCommands: who had what done is recorded, and what came of it.
func TestCertificateCommands(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", acmeMain, "tenants/acme.yaml", acmeText)
	putPair(t, dir, "one.pem", "one.key", month, "acme.example")
	h := build(t, dir)
	h.state.keys.chain.Store(&[]heldKey{{id: "0123456789abcdef"}})
	doors := h.certificateDoors()
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		return text
	}
	pair := admin.Pair{Chain: read("one.pem"), Key: read("one.key")}
	must(t, doors.Import(t.Context(), "ACME.example.", pair, "uid 7"))
	wantContains(t, h.said.take(), `msg="command done" command="certs import" actor="uid 7" on=acme.example`)
	got, err := doors.Export(t.Context(), "acme.example", true, "uid 7")
	must(t, err)
	block, _ := pem.Decode(got.Key)
	if block == nil || string(got.Chain) != string(pair.Chain) {
		t.Fatalf("exported: %q", got.Chain)
	}
	if _, err := x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		t.Errorf("the key: %v", err)
	}
	said := h.said.take()
	wantContains(t, said, `command="certs export" actor="uid 7" on=acme.example private_key=true sealing_key=0123456789abcdef`)
	if strings.Contains(said, "PRIVATE KEY") {
		t.Errorf("the log holds the key: %s", said)
	}
	if got, err := doors.Export(t.Context(), "acme.example", false, "uid 7"); err != nil || got.Key != nil {
		t.Errorf("without the key: %q, %v", got.Key, err)
	}
	if err := doors.Renew(t.Context(), "other.example", "uid 7"); err == nil {
		t.Error("a stranger's host is renewed")
	}
	wantContains(t, h.said.take(), `msg="command failed" command="certs renew" actor="uid 7" on=other.example`)
	must(t, doors.Renew(t.Context(), "acme.example", "uid 7"))
	if list := doors.Budgets(); len(list) != 1 || list[0].Left != list[0].Of {
		t.Errorf("budgets = %+v", list)
	}
	if accounts, err := doors.Accounts(t.Context()); err != nil || len(accounts) != 1 || accounts[0].Email != "ops@host.example" {
		t.Errorf("accounts = %+v, %v", accounts, err)
	}
}

// TestViewOfHosts: what the manager says of a host, as operators see it.
func TestViewOfHosts(t *testing.T) {
	now := time.Now()
	c := acmeView(&acme.HostStatus{Host: "a.example", State: acme.StateExpired, NotAfter: now.Add(-time.Hour), AttemptsLeft: 0, Because: "letsencrypt is down"}, now)
	if c.AttemptsLeft == nil || *c.AttemptsLeft != 0 || !c.NeedsSomebody() {
		t.Errorf("view = %+v", c)
	}
	wantContains(t, c.Detail, "it is in use although it ended 1h0m0s ago", "not from the first authority: letsencrypt is down")
	c = acmeView(&acme.HostStatus{Host: "a.example", State: acme.StateValid, NotAfter: now.Add(month), AttemptsLeft: manyAttempts}, now)
	if c.AttemptsLeft != nil || c.Detail != "" || c.NeedsSomebody() {
		t.Errorf("view = %+v", c)
	}
	for _, state := range acme.States() {
		if !slices.Contains(admin.CertificateStates(), string(state)) {
			t.Errorf("the state %q is none that operators may ask for", state)
		}
	}
}
