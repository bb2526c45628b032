package dns01

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"gatehouse/internal/conf"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// secretOf is what secrets of the tests hold, by file.
var secretOf = map[string]string{"tsig": "MDEyMzQ1Njc4OWFiY2RlZg==\n", "word": "correct-horse", "empty": "", "two": "two words", "binary": "\x00\x01"}

func readTestSecret(s *conf.Secret) ([]byte, error) {
	text, ok := secretOf[s.File.V]
	switch {
	case s.File.V == "unseen":
		return nil, nil
	case !ok:
		return nil, errors.New("no such file")
	}
	return []byte(text), nil
}

// compile reads what stands in dns_providers: {TEXT}. Files are given by name.
func compile(text string, files map[string]string) (*Providers, string) {
	var in struct {
		Providers conf.Map[ProviderSpec] `conf:"dns_providers"`
	}
	var r conf.Report
	conf.Decode("t.yaml", []byte("dns_providers: {"+text+"}"), &in, &r)
	var ps *Providers
	if r.Faults() == 0 {
		ps = Compile(in.Providers, readTestSecret, func(path string) ([]byte, error) {
			if text, ok := files[path]; ok {
				return []byte(text), nil
			}
			return nil, errors.New("no such file")
		}, &r)
	}
	var said strings.Builder
	for _, f := range r.Findings() {
		said.WriteString(f.String() + "\n")
	}
	return ps, said.String()
}

func mustCompile(t *testing.T, text string, files map[string]string) *Providers {
	t.Helper()
	ps, said := compile(text, files)
	if said != "" {
		t.Fatal(said)
	}
	return ps
}

func TestSpec(t *testing.T) {
	const exec = "exec: {program: /bin/true}"
	tests := []struct{ text, want string }{
		{`a: {zones: [acme.example, Hosted.Example.], tenants: [acme], ` + exec + `}`, ""},
		{`a: {zones: [acme.example], rfc2136: {server: "10.0.0.53:53", key_name: gatehouse., key: {file: tsig}}}`, ""},
		{`a: {zones: [acme.example], rfc2136: {server: "[::1]:53", key_name: GateHouse, algorithm: hmac-sha512, key: {file: tsig}}}`, ""},
		{`a: {zones: [auth.example], acme_dns: {server: "https://auth.example", username: u, password: {file: word}, subdomain: d420}}`, ""},
		{`a: {zones: [acme.example], webhook: {url: "https://dns.example/x", token: {file: word}}}`, ""},
		{`a: {zones: [acme.example], webhook: {url: "https://dns.example/x", token: {file: unseen}}}`, ""},
		{`a: {zones: [acme.example], route53: {access_key_id: AK, secret_access_key: {file: word}, session_token: {file: word}, region: eu-west-1, hosted_zone_id: Z1, endpoint: "https://r53.example"}}`, ""},
		{`a: {` + exec + `}`, "t.yaml:1:20: required key \"zones\" is missing\n    hint: write it like zones: [acme.example]\n"},
		{`a: {zones: [acme.example]}`, "t.yaml:1:20: none of the keys \"rfc2136\", \"acme_dns\", \"exec\", \"webhook\" and \"route53\" is written; expected one\n    hint: write it like rfc2136: {server: \"10.0.0.53:53\", key_name: gatehouse., key: {file: secrets/tsig}}\n"},
		{`a: {zones: [acme.example], ` + exec + `, webhook: {url: "https://d.example", token: {file: word}}}`, "t.yaml:1:20: \"exec\" and \"webhook\" stand together; expected only one of them\n"},
		{`a: {zones: [], ` + exec + `}`, "t.yaml:1:28: zones names 0; expected 1 to 1000\n"},
		{`a: {zones: ["*.acme.example"], ` + exec + `}`, "t.yaml:1:29: zone \"*.acme.example\" is no DNS zone; expected one like \"acme.example\"\n    hint: write it in ASCII, without a star\n"},
		{`a: {zones: [example], ` + exec + `}`, "t.yaml:1:29: zone \"example\" is no DNS zone; expected one like \"acme.example\"\n    hint: write it in ASCII, without a star\n"},
		{`a: {zones: [bücher.example], ` + exec + `}`, "t.yaml:1:29: zone \"bücher.example\" is no DNS zone; expected one like \"acme.example\"\n    hint: write it in ASCII, without a star\n"},
		{`a: {zones: [acme.example, ACME.example.], ` + exec + `}`, "t.yaml:1:43: zone \"ACME.example.\" is named twice\n"},
		{`a: {zones: [acme.example], tenants: [], ` + exec + `}`, "t.yaml:1:53: tenants names none; nobody could use the provider\n    hint: leave it out for all tenants\n"},
		{`a: {zones: [acme.example], exec: {program: dns-record}}`, "t.yaml:1:60: program \"dns-record\" is no absolute path; expected one like \"/usr/local/bin/dns-record\"\n"},
		{`a: {zones: [acme.example], rfc2136: {server: "10.0.0.53", key_name: k, key: {file: tsig}}}`, "t.yaml:1:62: server \"10.0.0.53\" has no host and port; write it like \"10.0.0.53:53\"\n"},
		{`a: {zones: [acme.example], rfc2136: {server: "10.0.0.53:0", key_name: "k k", key: {file: tsig}}}`, "t.yaml:1:62: server \"10.0.0.53:0\" has no host and port; write it like \"10.0.0.53:53\"\nt.yaml:1:87: key_name \"k k\" is no DNS name; expected one like \"gatehouse.\"\n"},
		{`a: {zones: [acme.example], rfc2136: {server: "10.0.0.53:53", key_name: k, key: {file: word}}}`, "t.yaml:1:103: the key of rfc2136 is not base64; expected what key generators print\n"},
		{`a: {zones: [acme.example], rfc2136: {server: "10.0.0.53:53", key_name: k, algorithm: hmac-md5, key: {file: tsig}}}`, "t.yaml:1:102: \"hmac-md5\" is unknown; expected \"hmac-sha256\", \"hmac-sha384\" or \"hmac-sha512\"\n"},
		{`a: {zones: [acme.example], webhook: {url: "http://dns.example", token: {file: word}}}`, "t.yaml:1:59: url \"http://dns.example\" is no https URL; expected one like \"https://dns.host.example/acme\"\n"},
		{`a: {zones: [acme.example], webhook: {url: "https://u:p@dns.example", token: {file: word}}}`, "t.yaml:1:59: url \"https://u:p@dns.example\" is no https URL; expected one like \"https://dns.host.example/acme\"\n"},
		{`a: {zones: [acme.example], webhook: {url: "https://dns.example", token: {file: none}}}`, "t.yaml:1:96: token of dns provider \"a\": no such file\n"},
		{`a: {zones: [acme.example], webhook: {url: "https://dns.example", token: {file: empty}}}`, "t.yaml:1:96: token of dns provider \"a\" is empty or not one word of ASCII; expected the secret alone\n"},
		{`a: {zones: [acme.example], webhook: {url: "https://dns.example", token: {file: two}}}`, "t.yaml:1:96: token of dns provider \"a\" is empty or not one word of ASCII; expected the secret alone\n"},
		{`a: {zones: [acme.example], webhook: {url: "https://dns.example", token: {file: word}, root: none.pem}}`, "t.yaml:1:109: root \"none.pem\": no such file; expected a PEM file\n"},
		{`a: {zones: [acme.example], webhook: {url: "https://dns.example", token: {file: word}, root: odd.pem}}`, "t.yaml:1:109: root \"odd.pem\": it holds no PEM certificate; expected a PEM file\n"},
		{`a: {zones: [auth.example, b.example], acme_dns: {server: "https://auth.example", username: u, password: {file: word}, subdomain: d}}`, "t.yaml:1:43: an acme_dns account has one name in one zone; \"b.example\" is a second one\n"},
		{`a: {zones: [auth.example], acme_dns: {server: "https://auth.example", username: "u u", password: {file: word}, subdomain: d.auth.example}}`, "t.yaml:1:97: username is \"u u\"; expected a word without spaces\nt.yaml:1:139: subdomain \"d.auth.example\" is no DNS label; expected the one that registering gave out, without its zone\n"},
		{`a: {zones: [acme.example], route53: {access_key_id: "", secret_access_key: {file: word}}}`, "t.yaml:1:69: access_key_id is \"\"; expected a word without spaces\n"},
		{`a: {zones: [acme.example], ` + exec + `}, b: {zones: [acme.example], ` + exec + `}`, "t.yaml:1:73: dns provider \"b\" has the zone \"acme.example\" for the same tenants as \"a\"; expected one of them\n    hint: give each its own tenants\n"},
		{`a: {zones: [acme.example], tenants: [x, y], ` + exec + `}, b: {zones: [acme.example], tenants: [y], ` + exec + `}`, "t.yaml:1:90: dns provider \"b\" has the zone \"acme.example\" for the same tenants as \"a\"; expected one of them\n    hint: give each its own tenants\n"},
		{`a: {zones: [acme.example], tenants: [x], ` + exec + `}, b: {zones: [acme.example], tenants: [y], ` + exec + `}, c: {zones: [acme.example], ` + exec + `}`, ""},
	}
	for _, tt := range tests {
		ps, got := compile(tt.text, map[string]string{"odd.pem": "nothing"})
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
		if tt.want == "" && len(ps.List()) == 0 {
			t.Errorf("%s: no provider", tt.text)
		}
	}
}

// However a provider is printed, its secrets do not show.
func TestNoSecretIsPrinted(t *testing.T) {
	ps := mustCompile(t, `a: {zones: [acme.example], webhook: {url: "https://dns.example/x", token: {file: word}}},
		b: {zones: [b.example], rfc2136: {server: "10.0.0.53:53", key_name: k, key: {file: tsig}}}`, nil)
	for _, p := range ps.List() {
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "provider", p, "other", *p)
		for _, shown := range []string{fmt.Sprint(p), fmt.Sprint(*p), fmt.Sprintf("%+v", *p), fmt.Sprintf("%#v", *p), fmt.Sprintf("%+v", p), fmt.Sprintf("%#v", p), log.String()} {
			if strings.Contains(shown, "correct-horse") || strings.Contains(shown, "MDEy") {
				t.Errorf("%s shows a secret", shown)
			}
		}
	}
}
