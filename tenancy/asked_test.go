package tenancy_test

import (
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"gatehouse/tenancy"
)

// TestIssuers holds the order of sources: pairs that a level lists, then whom it
// asks; the host before the tenant before the main file.
func TestIssuers(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/decide/acme.txtar")
	if err != nil {
		t.Fatal(err)
	}
	table, result := newTree(t, archive).compile(nil)
	if !result.Applicable() {
		t.Fatal(result.Report.Findings())
	}
	const twoYears, oneYear = "max-age=63072000", "max-age=31536000"
	for name, want := range map[string]struct {
		source        tenancy.CertificateSource
		profile, hsts string
	}{
		"www.acme.example":  {tenancy.FileSource, "", twoYears},
		"acme.example":      {tenancy.ACME, "", twoYears}, // the profile is the main file's
		"www.own.example":   {tenancy.FileSource, "", twoYears},
		"api.own.example":   {tenancy.ACME, "shortlived", twoYears},
		"old.own.example":   {tenancy.FileSource, "", twoYears},
		"www.acme2.example": {tenancy.ACME, "tlsserver", oneYear},
	} {
		h := table.Lookup(name)
		if h == nil {
			t.Errorf("%s: no host", name)
			continue
		}
		if h.CertificateSource() != want.source || h.ACMEProfile() != want.profile || h.HSTS() != want.hsts {
			t.Errorf("%s: %s, profile %q, HSTS %q; want %s, %q, %q", name,
				h.CertificateSource(), h.ACMEProfile(), h.HSTS(), want.source, want.profile, want.hsts)
		}
	}
}

// TestProfileChangesTenant: who wants another profile is another tenant, so that
// whoever obtains certificates hears of it.
func TestProfileChangesTenant(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/decide/acme.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tr := newTree(t, archive)
	before, _ := tr.compile(nil)
	const file = "tenants/chooses.yaml"
	tr.files[file].Data = []byte(`hosts: [www.acme2.example]
access: {allow: [203.0.113.0/28], refuse_with: handshake}
backends: ["http://10.4.2.10:8080"]
tls: {certificates: {acme: {profile: shortlived}}, hsts: {max_age: 365d}}
`)
	after, _ := tr.compile(before)
	if before.Tenant("chooses") == after.Tenant("chooses") {
		t.Error("the tenant with another profile is the same")
	}
	if before.Tenant("acme") != after.Tenant("acme") {
		t.Error("the tenant that did not change is another one")
	}
}
