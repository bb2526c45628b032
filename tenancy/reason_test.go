package tenancy_test

import (
	"testing"

	"gatehouse/tenancy"
)

func TestReasons(t *testing.T) {
	want := map[string]int{
		"blocked": 0, "too_many_connections": 0, "proxy_header": 0, "unknown_host": 404, "no_certificate": 0,
		"ip_not_allowed": 403, "bad_request": 400, "method_not_allowed": 405, "misdirected": 421,
		"ambiguous_path": 400, "no_route": 404, "suspended": 503, "maintenance": 503, "rate_limited": 429, "auth_required": 401, "auth_unavailable": 503, "too_many_in_flight": 503, "body_too_large": 413, "too_slow": 408, "no_healthy_backend": 503, "backend_connect": 502, "backend_tls": 502,
		"backend_protocol": 502, "backend_timeout": 504, "total_timeout": 504, "draining": 503, "internal": 500, "client_gone": 499,
	}
	for _, r := range tenancy.AllReasons() {
		status, ok := want[r.String()]
		if !ok || status != r.Status() {
			t.Errorf("%q has the status %d, want %d", r, r.Status(), status)
		}
		delete(want, r.String())
	}
	if len(want) > 0 {
		t.Errorf("reasons are missing: %v", want)
	}
	if none := tenancy.Reason(200); none.String() != "" || none.Status() != 0 {
		t.Errorf("an unknown reason is %q, %d", none, none.Status())
	}
}
