package gateway

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatehouse/internal/store"
	"gatehouse/tlsconfig"
)

// putPair writes a certificate that is good from now on for as long as it lasts,
// and its key; lasts may be negative.
func putPair(t *testing.T, dir, cert, key string, lasts time.Duration, hosts ...string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: hosts,
		NotBefore: time.Now().Add(-1000 * time.Hour), NotAfter: time.Now().Add(lasts),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		var text bytes.Buffer
		must(t, pem.Encode(&text, block))
		put(t, dir, name, text.String())
	}
}

const (
	pairText     = "tls: {certificates: [{cert: tls/cert.pem, key: {file: tls/key.pem}}, {internal: true}]}\n"
	ownPairText  = "tls: {certificates: {cert: acme.pem, key: {file: ../secrets/acme/key.pem}}}\n"
	month        = 30 * 24 * time.Hour
	acmeAndAdmin = `hosts: [acme.example, admin.acme.example]
access: {allow: [203.0.113.0/28]}
backends: ["http://127.0.0.1:9"]
`
)

// TestHostsAlwaysHaveACertificate: a host that moves between the internal CA, the
// main file's pairs and its tenant's has a certificate in every index that is
// ever published.
func TestHostsAlwaysHaveACertificate(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeAndAdmin)
	putPair(t, dir, "tls/cert.pem", "tls/key.pem", month, "*.example", "*.acme.example")
	putPair(t, dir, "tenants/acme.pem", "secrets/acme/key.pem", month, "acme.example")
	h := build(t, dir)
	published := 0
	find := func(index *tlsconfig.Index, host string) *tls.Certificate { return index.Find("acme", host, nil) }
	h.presenter.publish = func(index *tlsconfig.Index) {
		published++
		for _, host := range []string{"acme.example", "admin.acme.example"} {
			if find(index, host) == nil {
				t.Errorf("index %d has no certificate for %s", published, host)
			}
		}
		h.server.SetCertificates(index)
	}
	sources := func(want ...string) {
		t.Helper()
		var got []string
		for _, c := range h.presenter.status(time.Now()) {
			got = append(got, strings.Join(c.Names, " ")+" "+c.Tenant+" "+c.Source)
		}
		if !slices.Equal(got, want) {
			t.Errorf("presented: %q, want %q", got, want)
		}
	}
	sources("acme.example  internal CA", "admin.acme.example  internal CA")
	h.put("gatehouse.yaml", mainText+pairText)
	h.reload("uid 0")
	sources("*.example *.acme.example  tls/cert.pem")
	h.put("tenants/acme.yaml", acmeAndAdmin+ownPairText)
	h.reload("uid 0")
	sources("*.example *.acme.example  tls/cert.pem", "acme.example acme acme.pem")
	h.put("gatehouse.yaml", mainText)
	h.reload("uid 0")
	sources("acme.example acme acme.pem", "admin.acme.example  internal CA")
	h.put("tenants/acme.yaml", acmeAndAdmin)
	h.reload("uid 0")
	sources("acme.example  internal CA", "admin.acme.example  internal CA")
	before := published
	h.put("tenants/acme.yaml", acmeAndAdmin+"request_buffer: 1KiB\n")
	if got := h.reload("uid 0"); len(got.Changed) != 1 {
		t.Errorf("reload = %+v", got)
	}
	if published != before {
		t.Errorf("a reload that touches no certificate publishes %d indexes", published-before)
	}
}

// TestMainPairs: what a bad pair of the main file costs.
func TestMainPairs(t *testing.T) {
	start := func(t *testing.T) *house {
		dir := tree(t, "gatehouse.yaml", mainText+pairText, "tenants/acme.yaml", acmeText)
		putPair(t, dir, "tls/cert.pem", "tls/key.pem", month, "acme.example")
		return build(t, dir)
	}
	presented := func(h *house) [32]byte {
		pairs := h.presenter.files[""]
		if len(pairs) != 1 {
			t.Fatalf("%d pairs are presented", len(pairs))
		}
		return pairs[0].Digest()
	}
	for _, test := range []struct {
		name string
		harm func(*testing.T, *house)
		say  string
	}{
		{"a key of another certificate", func(t *testing.T, h *house) {
			putPair(t, h.dir, "tls/cert.pem", "other.pem", month, "acme.example")
		}, "key"},
		{"a key that is gone", func(t *testing.T, h *house) { must(t, os.Remove(filepath.Join(h.dir, "tls/key.pem"))) }, "cannot be read"},
		{"a renewal that has ended", func(t *testing.T, h *house) {
			putPair(t, h.dir, "tls/cert.pem", "tls/key.pem", -time.Hour, "acme.example")
		}, "expired"},
		{"half a file", func(_ *testing.T, h *house) { h.put("tls/cert.pem", "-----BEGIN CERTIFICATE-----\nMII") }, "no certificate"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := start(t)
			before := presented(h)
			test.harm(t, h)
			got := h.reload("uid 0")
			if !got.Applied || !got.Unchanged || presented(h) != before {
				t.Errorf("reload = %+v, want the former pair", got)
			}
			if len(got.Findings) == 0 {
				t.Fatal("nothing is said")
			}
			wantContains(t, got.Findings[0].String(), "gatehouse.yaml:5:29", "warning", test.say, "the former pair is presented until this one is mended")
		})
	}
	t.Run("a renewal", func(t *testing.T) {
		h := start(t)
		before := presented(h)
		putPair(t, h.dir, "tls/cert.pem", "tls/key.pem", 2*month, "acme.example")
		if got := h.reload("uid 0"); !got.Applied || got.Unchanged || presented(h) == before {
			t.Errorf("reload = %+v, want the new pair", got)
		}
	})
	t.Run("an expired pair at a start", func(t *testing.T) {
		dir := tree(t, "gatehouse.yaml", mainText+pairText, "tenants/acme.yaml", acmeText)
		putPair(t, dir, "tls/cert.pem", "tls/key.pem", -time.Hour, "acme.example")
		h := build(t, dir)
		wantContains(t, h.said.String(), "expired", "it is presented nevertheless")
		if list := h.presenter.status(time.Now()); len(list) != 1 || list[0].State != "expired" {
			t.Errorf("certificates: %v", list)
		}
		if result, err := Check(filepath.Join(dir, "gatehouse.yaml")); err != nil || result.Fine {
			t.Errorf("check = %+v, %v, want a fault", result, err)
		}
	})
}

// TestCertificateStates: what status and the metric say of ends.
func TestCertificateStates(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", mainText+pairText, "tenants/acme.yaml", acmeText+ownPairText)
	putPair(t, dir, "tls/cert.pem", "tls/key.pem", month, "other.example")
	putPair(t, dir, "tenants/acme.pem", "secrets/acme/key.pem", 3*24*time.Hour, "acme.example")
	h := build(t, dir)
	ends := h.presenter.expiry()
	if len(ends) != 2 || time.Until(ends[""]) < month-time.Hour || time.Until(ends["acme"]) > 3*24*time.Hour {
		t.Errorf("expiry = %v", ends)
	}
	for when, want := range map[time.Duration]string{
		0: "expires-soon", 4 * 24 * time.Hour: "expired", -2000 * time.Hour: "not-valid-yet", -500 * time.Hour: "valid",
	} {
		for _, c := range h.presenter.status(time.Now().Add(when)) {
			if c.Tenant == "acme" && c.State != want {
				t.Errorf("after %v the state is %q, want %q", when, c.State, want)
			}
		}
	}
}

// TestLeavesAreTakenOverOnce: a leaf that stays is not looked at again, whatever
// the number of others that change.
func TestLeavesAreTakenOverOnce(t *testing.T) {
	dir := tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeAndAdmin)
	h := build(t, dir)
	before := slices.Clone(h.presenter.leaves)
	h.put("tenants/acme.yaml", strings.Replace(acmeAndAdmin, "admin.", "www.", 1))
	h.reload("uid 0")
	if len(before) != 2 || len(h.presenter.leaves) != 2 || h.presenter.leaves[0] != before[0] || h.presenter.leaves[1] == before[1] {
		t.Errorf("leaves: %p before, %p now", before, h.presenter.leaves)
	}
	var said transcript
	p := &presenter{log: said.logger(), publish: func(*tlsconfig.Index) {}}
	p.setLeaves([]*tls.Certificate{{}})
	if len(p.leaves) != 0 {
		t.Error("a leaf that is none is presented")
	}
	wantContains(t, said.String(), "cannot be used")
}

// TestIssuerOpensOnFirstNeed: no root is made that nobody needs, and one CA
// serves all later needs.
func TestIssuerOpensOnFirstNeed(t *testing.T) {
	mem := store.NewMem()
	var parts sync.WaitGroup
	var said transcript
	published := 0
	i := &issuer{blobs: mem, log: said.logger(), parts: &parts, publish: func([]*tls.Certificate) { published++ }}
	ctx, cancel := contextWithCancel(t)
	must(t, i.setNames(ctx, nil))
	if keys, err := mem.List(ctx, ""); err != nil || len(keys) != 0 || published != 0 || i.rootPEM() != nil {
		t.Errorf("without a host: %q, %v, published %d times", keys, err, published)
	}
	must(t, i.setNames(ctx, []string{"a.example", "b.example"}))
	root := i.rootPEM()
	if published != 1 || root == nil {
		t.Errorf("with the first hosts: published %d times, root %q", published, root)
	}
	must(t, i.setNames(ctx, []string{"a.example", "b.example"}))
	if published != 1 {
		t.Error("equal names are published again")
	}
	must(t, i.setNames(ctx, []string{"a.example", "not a name"}))
	wantContains(t, said.String(), "not a name", "refused until it has")
	must(t, i.setNames(ctx, nil))
	if published != 3 || !bytes.Equal(root, i.rootPEM()) {
		t.Errorf("published %d times, root %q", published, i.rootPEM())
	}
	cancel()
	parts.Wait()
}
