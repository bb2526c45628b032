package tlsconfig

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/conf"
)

func load(text string) (spec *Spec, r *conf.Report) {
	var file struct {
		TLS *Spec `conf:"tls"`
	}
	r = new(conf.Report)
	conf.Decode("t.yaml", []byte(text), &file, r)
	return file.TLS, r
}

func findings(r *conf.Report) string {
	var b strings.Builder
	for _, f := range r.Findings() {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}

func TestHSTS(t *testing.T) {
	for _, test := range []struct{ text, header, want string }{
		{`tls: {profile: modern}`, "max-age=63072000", ""},
		{`tls: {hsts: {max_age: 365d}}`, "max-age=31536000", ""},
		{`tls: {hsts: {max_age: 0s}}`, "max-age=0", ""},
		{`tls: {hsts: {include_subdomains: true}}`, "max-age=63072000; includeSubDomains", ""},
		{`tls: {hsts: {include_subdomains: true, preload: true}}`, "max-age=63072000; includeSubDomains; preload", ""},
		{`tls: {hsts: {max_age: 365d, include_subdomains: true, preload: true}}`, "max-age=31536000; includeSubDomains; preload", ""},
		{`tls: {hsts: {preload: true}}`, "max-age=63072000; preload", `t.yaml:1:23: preload without include_subdomains; browsers' lists take whole domains
    hint: add include_subdomains: true, or remove preload
`},
		{`tls: {hsts: {max_age: 364d, include_subdomains: true, preload: true}}`, "max-age=31449600; includeSubDomains; preload", `t.yaml:1:64: preload with a max_age of "364d"; expected at least "365d"
    hint: raise max_age, or remove preload
`},
		{`tls: {hsts: {max_age: 30d}}`, "max-age=2592000", `t.yaml:1:23: warning: max_age "30d" is shorter than the "180d" that SSL Labs wants for A+
    hint: raise it once the hosts have proved themselves on https
`},
	} {
		spec, r := load(test.text)
		h := CompileHSTS(spec.HSTS, r)
		if got := h.Header(); got != test.header {
			t.Errorf("%s: header %q, want %q", test.text, got, test.header)
		}
		if diff := cmp.Diff(test.want, findings(r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.text, diff)
		}
	}
	if got := (HSTS{}).Header(); got != "" {
		t.Errorf("no policy: header %q, want none", got)
	}
	if got := DefaultHSTS(); got.MaxAge != 730*24*time.Hour {
		t.Errorf("built-in max-age %v, want two years", got.MaxAge)
	}
}

func TestHSTSMergesByKey(t *testing.T) {
	wide, r := load(`tls: {hsts: {max_age: 365d, include_subdomains: true}}`)
	narrow, _ := load(`tls: {hsts: {include_subdomains: false}}`)
	conf.Merge(wide, narrow)
	if got, want := CompileHSTS(wide.HSTS, r).Header(), "max-age=31536000"; got != want {
		t.Errorf("merged: %q, want %q", got, want)
	}
}

func TestProfile(t *testing.T) {
	for text, want := range map[string]Profile{
		`tls: {profile: intermediate}`: Intermediate,
		`tls: {profile: modern}`:       Modern,
		`tls: {hsts: {}}`:              Modern, // inherited
	} {
		spec, r := load(text)
		if got := spec.ProfileOr(Modern); got != want || r.Faults() > 0 {
			t.Errorf("%s: %v, want %v\n%s", text, got, want, findings(r))
		}
	}
	if got := (*Spec)(nil).ProfileOr(Modern); got != Modern {
		t.Errorf("no spec: %v, want the inherited one", got)
	}
}

func TestSpecFindings(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"one pair", `tls: {certificates: {cert: a.pem, key: {file: a.key}}}`, ""},
		{"pairs", `tls: {certificates: [{cert: a.pem, key: {file: a.key}}, {internal: true}]}`, ""},
		{"profile", `tls: {profile: modren}`, `t.yaml:1:16: "modren" is unknown; expected "intermediate" or "modern"
    hint: did you mean "modern"?
`},
		{"acme", `tls: {certificates: {acme: {email: ops@host.example}}}`, ""},
		{"acme and a pair", `tls: {certificates: {acme: {}, cert: a.pem, key: {file: a.key}}}`, `t.yaml:1:28: acme stands beside another source; expected one of them
    hint: make it an item of its own
`},
		{"no key", `tls: {certificates: {cert: a.pem}}`, `t.yaml:1:21: half a pair; expected cert and key
`},
		{"no certificate", `tls: {certificates: {key: {file: a.key}}}`, `t.yaml:1:21: half a pair; expected cert and key
`},
		{"empty file", `tls: {certificates: {cert: "", key: {file: a.key}}}`, `t.yaml:1:28: cert is ""; expected a file
`},
		{"both", `tls: {certificates: {cert: a.pem, key: {file: a.key}, internal: true}}`, `t.yaml:1:65: internal stands beside a pair of files; expected one of them
    hint: make it an item of its own
`},
		{"nothing", `tls: {certificates: {}}`, `t.yaml:1:21: a certificate without a source; expected a pair of files, acme or the internal CA
    hint: write {cert: FILE, key: {file: FILE}}, {acme: {email: ADDRESS}} or {internal: true}
`},
		{"not internal", `tls: {certificates: {internal: false}}`, `t.yaml:1:32: internal is false; expected true, acme, or a pair of files
    hint: remove it
`},
	} {
		_, r := load(test.text)
		if diff := cmp.Diff(test.want, findings(r)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}
