package gateway

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"gatehouse/proxy"
	"gatehouse/tenancy"
)

// TestWhy: what is remembered is told gate by gate as the table of now judges it,
// with what happened behind the table, and with a word where that table judges
// otherwise than the one of then.
func TestWhy(t *testing.T) {
	t.Parallel()
	h := build(t, tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeText))
	table := h.current.Load().table
	receipt := func(change func(*proxy.Receipt)) proxy.Receipt {
		r := proxy.Receipt{
			Ref: "5pcpze4cduwtnb75", Started: time.Now(), Table: 1, Client: netip.MustParseAddr("203.0.113.5"), SNI: "acme.example",
			Protocol: "HTTP/2.0", Method: "GET", Host: "acme.example", Path: "/x", Tenant: "acme", Status: 200, BytesOut: 12, Took: 3 * time.Millisecond,
		}
		change(&r)
		return r
	}
	dead := proxy.Try{Backend: "10.4.1.10:8080", Took: 1500 * time.Microsecond, Outcome: "was not reached: connection refused"}
	lives := proxy.Try{Backend: "10.4.1.11:8080", Took: 2 * time.Second, Outcome: "answered", Answered: true}
	for name, c := range map[string]struct {
		change  func(*proxy.Receipt)
		verdict string
		now     string
		steps   string // the last ones, as gate/outcome/text
	}{
		"answered": {
			func(r *proxy.Receipt) {
				r.Tries = []proxy.Try{dead, lives}
				r.Queued = 20 * time.Millisecond
				r.Asked = true
			}, "forward", "",
			"auth/pass/name and password were right; queue/pass/waited 20ms for its turn; backend/fail/10.4.1.10:8080 was not reached: connection refused, after 1.5ms; " +
				"backend/pass/10.4.1.11:8080 answered, after 2s; answer/pass/200, with 12 bytes of body, after 3ms",
		},
		"refused by the table": {
			func(r *proxy.Receipt) {
				r.Client, r.Reason, r.Status, r.ByTable = netip.MustParseAddr("192.0.2.1"), tenancy.IPNotAllowed, 403, true
			}, "refuse ip_not_allowed", "", "access/refuse/tenant \"acme\": no entry of allow covers the address; refused with 403",
		},
		"refused by another table": {
			func(r *proxy.Receipt) { r.Reason, r.Status, r.ByTable = tenancy.IPNotAllowed, 403, true },
			"refuse ip_not_allowed", "forward", "route/pass/route \"/\" to 127.0.0.1:9",
		},
		"admitted by another table": {
			func(r *proxy.Receipt) { r.Client, r.Tries = netip.MustParseAddr("192.0.2.1"), []proxy.Try{lives} },
			"forward", "refuse ip_not_allowed", "answer/pass/200, with 12 bytes of body, after 3ms",
		},
		"limited": {
			func(r *proxy.Receipt) {
				r.Reason, r.Status, r.Level, r.Limit = tenancy.RateLimited, 429, `route "/x/"`, "client.requests"
			}, "refuse rate_limited", "", "limits/refuse/route \"/x/\": limits.client.requests: rate_limited",
		},
		"vouched for": {
			func(r *proxy.Receipt) { r.Tries, r.Vouching = []proxy.Try{lives}, 4*time.Millisecond }, "forward", "",
			"auth/pass/auth services admit it, after 4ms; backend/pass/10.4.1.11:8080 answered, after 2s; answer/pass/200, with 12 bytes of body, after 3ms",
		},
		"no verdict": {
			func(r *proxy.Receipt) {
				r.Reason, r.Status, r.Level, r.Limit, r.Detail = tenancy.AuthUnavailable, 503, `tenant "acme"`, "forward_auth", "answered 500, which is no verdict"
			}, "refuse auth_unavailable", "", "auth/refuse/tenant \"acme\": auth_unavailable: answered 500, which is no verdict",
		},
		"wrong password": {
			func(r *proxy.Receipt) {
				r.Reason, r.Status, r.Level, r.Limit, r.Asked = tenancy.AuthRequired, 401, `tenant "acme"`, "basic_auth", true
			}, "refuse auth_required", "", "auth/refuse/tenant \"acme\": auth_required",
		},
		"no backend": {
			func(r *proxy.Receipt) { r.Reason, r.Status, r.Tries = tenancy.BackendConnect, 502, []proxy.Try{dead} }, "refuse backend_connect", "",
			"backend/fail/10.4.1.10:8080 was not reached: connection refused, after 1.5ms; answer/refuse/backend_connect",
		},
		"malformed answer": {
			func(r *proxy.Receipt) {
				r.Reason, r.Status, r.Detail = tenancy.BackendProtocol, 502, "the status line is malformed"
			},
			"refuse backend_protocol", "", "answer/refuse/backend_protocol: the status line is malformed",
		},
		"revoked": {
			func(r *proxy.Receipt) { r.Reason, r.Status, r.Tries = tenancy.Suspended, 503, []proxy.Try{dead} },
			"refuse suspended", "", "answer/refuse/suspended: cut while it was in progress, since it was not admitted any more",
		},
		"cut": {
			func(r *proxy.Receipt) { r.Reason, r.Tries, r.Relayed = tenancy.Blocked, []proxy.Try{lives}, true },
			"refuse blocked", "", "backend/pass/10.4.1.11:8080 answered, after 2s; answer/refuse/200, cut with 12 bytes of body, after 3ms: blocked: cut while it was in progress, since it was not admitted any more",
		},
		"no room at a backend": {
			func(r *proxy.Receipt) {
				r.Reason, r.Status, r.Level, r.Limit = tenancy.TooManyInFlight, 503, `pool "acme /"`, "circuit_breaker"
			}, "refuse too_many_in_flight", "", "limits/refuse/pool \"acme /\": circuit_breaker: too_many_in_flight",
		},
		"malformed head": {
			func(r *proxy.Receipt) {
				*r = proxy.Receipt{Reason: tenancy.BadRequest, Status: 400, Detail: "two Host fields"}
			},
			"refuse bad_request", "", "head/refuse/two Host fields",
		},
		"plain": {
			func(r *proxy.Receipt) { r.Plain, r.Redirect, r.Status = true, true, 308 },
			"redirect", "", "answer/pass/308, with 12 bytes of body, after 3ms",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := whyOf(table, receipt(c.change))
			var steps []string
			for _, s := range got.Steps {
				steps = append(steps, s.Gate+"/"+s.Outcome+"/"+s.Text)
			}
			if all := strings.Join(steps, "; "); got.Verdict != c.verdict || got.VerdictNow != c.now || !strings.HasSuffix("; "+all, "; "+c.steps) {
				t.Errorf("%s, now %q: %s\nwant %s, %q: ...%s", got.Verdict, got.VerdictNow, all, c.verdict, c.now, c.steps)
			}
		})
	}
	if _, err := h.why("5pcpze4cduwtnb75"); err == nil {
		t.Error("something is known of a request that was not made")
	}
}
