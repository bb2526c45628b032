package tlsconfig

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/conf"
)

// loadACME reads what stands in certificates: {acme: TEXT}.
func loadACME(text string) (*ACMESpec, *conf.Report) {
	spec, r := load("tls: {certificates: {acme: " + text + "}}")
	if spec == nil || len(spec.Certificates.Items) == 0 {
		return nil, r
	}
	return spec.Certificates.Items[0].V.ACME, r
}

func TestACMESpec(t *testing.T) {
	const eab = `eab: {key_id: k1, hmac_key: {file: s}}`
	for _, test := range []struct{ text, want string }{
		{`{}`, ""},
		{`{email: ops@host.example, ca: letsencrypt-staging, profile: shortlived, challenges: [dns-01, http-01]}`, ""},
		{`{email: ops@host.example, challenges: [dns-persist-01, dns-01]}`, ""},
		{`{ca: "https://ca.example:14000/dir", root: ca/pebble.pem, must_staple: true, resolvers: ["127.0.0.1:8053"]}`, ""},
		{`{preflight: {enabled: false, addresses: [192.0.2.1, "2001:db8::1"], lost_after: 3}}`, ""},
		{`{budget: {orders: 1000/m, domain: 50/168h, host: 5/7d, failures: 5/1h}}`, ""},
		{`{ca: zerossl, ` + eab + `, fallback: [{ca: google, ` + eab + `}, {ca: letsencrypt}]}`, ""},
		{`{email: ops}`, `t.yaml:1:36: email is "ops"; expected an address like "ops@host.example"
`},
		{`{email: "Ops <ops@host.example>"}`, `t.yaml:1:36: email is "Ops <ops@host.example>"; expected an address like "ops@host.example"
`},
		{`{email: ops@localhost}`, `t.yaml:1:36: email is "ops@localhost"; expected an address like "ops@host.example"
`},
		{`{ca: letsencript}`, `t.yaml:1:33: ca "letsencript" is unknown; expected letsencrypt, letsencrypt-staging, zerossl, google, or the https URL of an ACME directory
    hint: did you mean "letsencrypt"?
`},
		{`{ca: "http://ca.example/dir"}`, `t.yaml:1:33: ca "http://ca.example/dir" is unknown; expected letsencrypt, letsencrypt-staging, zerossl, google, or the https URL of an ACME directory
`},
		{`{ca: letsencrypt, root: ca.pem}`, `t.yaml:1:52: root stands beside ca "letsencrypt", whose server the system's roots vouch for
    hint: remove it
`},
		{`{ca: zerossl}`, `t.yaml:1:33: ca "zerossl" has no eab; it takes orders from accounts alone that are bound to one of its own
    hint: write eab: {key_id: …, hmac_key: {file: FILE}} with what the CA has given out
`},
		{`{` + eab + `}`, `t.yaml:1:34: eab stands beside ca "letsencrypt", which binds no accounts
    hint: remove it
`},
		{`{ca: zerossl, eab: {key_id: k1}}`, `t.yaml:1:47: required key "hmac_key" is missing
    hint: write it like hmac_key: {file: secrets/zerossl}
`},
		{`{profile: "short lived"}`, `t.yaml:1:38: profile is "short lived"; expected a word like "shortlived"
`},
		{`{challenges: [http-01, http-01]}`, `t.yaml:1:51: challenge "http-01" is named twice
`},
		{`{challenges: []}`, `t.yaml:1:41: challenges names none; without one no CA issues anything
    hint: leave it out for all that can work
`},
		{`{must_staple: true}`, `t.yaml:1:42: must_staple with ca "letsencrypt", which has no OCSP responder; its certificates could never be used
    hint: remove it
`},
		{`{ca: "https://ca.example/dir", must_staple: true, fallback: [{ca: letsencrypt}]}`, `t.yaml:1:72: must_staple with ca "letsencrypt", which has no OCSP responder; its certificates could never be used
    hint: remove it
`},
		{`{fallback: [{ca: letsencrypt}]}`, `t.yaml:1:45: ca "letsencrypt" is tried already; expected another one
`},
		{`{fallback: [{profile: x}]}`, `t.yaml:1:40: an authority of fallback has no ca; expected one of letsencrypt, letsencrypt-staging, zerossl, google, or a URL
`},
		{`{resolvers: [9.9.9.9]}`, `t.yaml:1:41: resolver "9.9.9.9" is no address with a port; write it like "9.9.9.9:53" or "[2620:fe::fe]:53"
`},
		{`{preflight: {addresses: [0.0.0.0], lost_after: 0}}`, `t.yaml:1:53: "0.0.0.0" is not an address that clients reach; write it like "192.0.2.1"
t.yaml:1:75: lost_after is 0; expected at least one check
`},
		{`{budget: {orders: 300}}`, `t.yaml:1:46: "300" is not a rate; write it like "300/3h" or "500/s", a number and the time in which it may be reached
`},
	} {
		_, r := loadACME(test.text)
		if diff := cmp.Diff(test.want, findings(r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.text, diff)
		}
	}
}

func TestACMELevels(t *testing.T) {
	spec, r := loadACME(`{profile: shortlived}`)
	spec.CheckMain(r)
	if diff := cmp.Diff("t.yaml:1:28: acme has no email; expected an address that the CA can write to\n    hint: write acme: {email: ADDRESS}\n", findings(r)); diff != "" {
		t.Errorf("a main file without email (-want +got):\n%s", diff)
	}
	spec, r = loadACME(`{profile: shortlived}`)
	if spec.CheckTenant(r); r.Faults() > 0 {
		t.Errorf("a tenant that chooses a profile:\n%s", findings(r))
	}
	for _, key := range []string{
		`email: ops@host.example`, `ca: letsencrypt`, `challenges: [dns-01]`, `must_staple: false`, `fallback: []`,
		`resolvers: ["9.9.9.9:53"]`, `preflight: {enabled: false}`, `budget: {host: 1/d}`,
		`ca: "https://ca.example/dir", root: a.pem`, `ca: zerossl, eab: {key_id: k1, hmac_key: {file: s}}`,
	} {
		spec, r = loadACME("{" + key + "}")
		before := r.Faults()
		spec.CheckTenant(r)
		if got, want := r.Faults()-before, 1; got < want {
			t.Errorf("a tenant that writes %s has %d faults, want %d at least", key, got, want)
		}
	}
}

func TestACMEBudget(t *testing.T) {
	spec, _ := loadACME(`{budget: {host: 3/d}}`)
	day := conf.Duration(24 * time.Hour)
	want := Budget{
		Orders: conf.Rate{Count: 300, Per: day / 8}, Domain: conf.Rate{Count: 50, Per: 7 * day},
		Host: conf.Rate{Count: 3, Per: day}, Failures: conf.Rate{Count: 5, Per: day / 24},
	}
	if diff := cmp.Diff(want, spec.CompileBudget()); diff != "" {
		t.Errorf("budget (-want +got):\n%s", diff)
	}
	if got := new(ACMESpec).Name(); got != LetsEncrypt {
		t.Errorf("the built-in CA is %q, want %q", got, LetsEncrypt)
	}
}
