package acme

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// TestFallbackByCAA: where CAA forbids the first authority, one is looked for
// that it allows; where it allows none, the record for the first is told.
func TestFallbackByCAA(t *testing.T) {
	tests := []struct {
		title  string
		caa    string
		down   string // an authority that does not answer
		first  string
		ca     string
		kinds  string
		state  State
		record string
		why    string // about the first
	}{
		{title: "all", caa: `issue "letsencrypt.org"`, ca: "letsencrypt", kinds: "http-01 tls-alpn-01"},
		{title: "a fallback", caa: `issue "sectigo.com"`, ca: "zerossl", kinds: "http-01 tls-alpn-01", why: "letsencrypt: the CAA records of acme.example do not name this authority"},
		{title: "the last", caa: `issue "pki.goog; validationmethods=tls-alpn-01"`, ca: "google", kinds: "tls-alpn-01", why: "do not name"},
		{title: "another account", caa: `issue "letsencrypt.org; accounturi=https://ca.example/acct/8"`, state: StatePendingCAA, record: `acme.example. CAA 0 issue "letsencrypt.org; accounturi=https://ca.example/acct/7"`},
		{title: "none", caa: `issue ";"`, state: StatePendingCAA, record: `acme.example. CAA 0 issue "letsencrypt.org"`},
		{title: "one that is silent", caa: `issue "pki.goog"`, down: "zerossl", ca: "google", kinds: "http-01 tls-alpn-01", why: "do not name"},
		{title: "silent alone", caa: `issue "sectigo.com"`, down: "zerossl", state: StatePendingCAA, record: `acme.example. CAA 0 issue "letsencrypt.org"`},
		{title: "from the second on", caa: `issue "letsencrypt.org"`, first: "zerossl", ca: "letsencrypt", kinds: "http-01 tls-alpn-01", why: "zerossl: the CAA records"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			f := newFlight(t)
			f.dns.Add("pa.acme.example. A 192.0.2.1", "acme.example. CAA 0 "+tt.caa)
			f.settings.authorities = []*authority{f.ca, {ID: "two", Name: "zerossl"}, {ID: "three", Name: "google"}}
			names := map[string]string{"letsencrypt": "letsencrypt.org", "zerossl": "sectigo.com", "google": "pki.goog"}
			f.describe = func(_ context.Context, ca *authority) (*directory, error) {
				if ca.Name == tt.down {
					return nil, errors.New("it is down")
				}
				return &directory{CAA: []string{names[ca.Name]}}, nil
			}
			first := f.ca
			if tt.first != "" {
				first = f.settings.authorities[1]
			}
			h := Host{Name: "pa.acme.example", Tenant: "acme"}
			r := f.report(t.Context(), h, first, f.settings)
			if tt.state == "" && (r.CA != tt.ca || !r.Fine() || strings.Join(r.Challenges, " ") != tt.kinds) {
				t.Errorf("%+v", r)
			}
			if r.State != tt.state || r.Record != tt.record {
				t.Errorf("%q, %q; want %q, %q", r.State, r.Record, tt.state, tt.record)
			}
			if last := r.Steps[len(r.Steps)-1]; tt.ca != "" && !strings.HasPrefix(last.Text, tt.ca+" answers") {
				t.Errorf("the authority that was looked at: %+v", last)
			}
			got := f.look(t.Context(), h, first, f.settings)
			if tt.state == "" && (got.verdicts == nil || !strings.Contains(got.verdicts[first.ID].why, tt.why) || (tt.why == "") != (got.verdicts[first.ID].why == "")) {
				t.Errorf("%+v", got)
			}
			if tt.state != "" && got.verdicts != nil {
				t.Errorf("pending, and yet %+v", got.verdicts)
			}
		})
	}
}

// A fallback that hangs does not use up the time of a look.
func TestHangingFallback(t *testing.T) {
	f := newFlight(t)
	f.dns.Add("pa.acme.example. A 192.0.2.1", `acme.example. CAA 0 issue "pki.goog"`)
	f.settings.authorities = []*authority{f.ca, {ID: "two", Name: "zerossl"}}
	describe := f.describe
	f.describe = func(ctx context.Context, ca *authority) (*directory, error) {
		if ca.Name != "zerossl" {
			return describe(ctx, ca)
		}
		if until, ok := ctx.Deadline(); !ok || time.Until(until) > fallbackTimeMax {
			t.Error("there is no end to it")
		}
		return nil, context.DeadlineExceeded
	}
	if got := f.look(t.Context(), Host{Name: "pa.acme.example", Tenant: "acme"}, f.ca, f.settings); got.state != StatePendingCAA {
		t.Errorf("%+v", got)
	}
}
