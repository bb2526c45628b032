package tenancy_test

import (
	"net/netip"
	"testing"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
)

// believing compiles a table without tenants that listens as written.
func believing(t *testing.T, listen string) *tenancy.Table {
	t.Helper()
	var spec struct {
		HTTP  conf.List[string]               `conf:"http"`
		HTTPS conf.List[tenancy.ListenerSpec] `conf:"https"`
	}
	var r conf.Report
	conf.Decode("gatehouse.yaml", []byte(listen), &spec, &r)
	in := compileInput()
	in.Sets = ipallow.CompileSets(nil, nil, &r)
	in.Listeners = tenancy.CompileListeners(spec.HTTP, spec.HTTPS, in.Sets, &r)
	table, result := tenancy.Compile(in)
	if findings := append(r.Findings(), result.Report.Findings()...); table == nil || len(findings) > 0 {
		t.Fatal(findings)
	}
	return table
}

// TestListenerOfAnotherTable: a listener is found again by what cannot change
// while its socket is open.
func TestListenerOfAnotherTable(t *testing.T) {
	old := believing(t, `{http: [":80"], https: [":443", {address: ":8443", client_ip: {proxy_protocol: [10.0.0.4]}}, {address: ":8444", client_ip: {x_forwarded_for: [10.0.0.4]}}]}`)
	next := believing(t, `{http: [":80"], https: [{address: ":8443", client_ip: {proxy_protocol: [10.0.0.5]}}, {address: ":8444", client_ip: {proxy_protocol: [10.0.0.5]}}]}`)
	at := old.Listeners()
	for i, want := range []string{":80", "", ":8443", ""} { // :443 has gone, :8444 is of another mode
		got := next.Listener(at[i])
		if (got == nil) != (want == "") || got != nil && got.Address != want {
			t.Errorf("listener %q is found as %v, want %q", at[i].Name, got, want)
		}
		if old.Listener(at[i]) != at[i] {
			t.Errorf("listener %q is not found in its own table", at[i].Name)
		}
	}
	if trust := next.Listener(at[2]).Trust; trust.Contains(netip.MustParseAddr("10.0.0.4"), 0) || !trust.Contains(netip.MustParseAddr("10.0.0.5"), 0) {
		t.Error("the listener is found with its former trust")
	}
}

// TestTrustEnds: an entry of a trust set that ends is among what changes access.
func TestTrustEnds(t *testing.T) {
	table := believing(t, `{https: [{address: ":8443", client_ip: {proxy_protocol: [10.0.0.4, {ip: 10.0.0.5, until: 2030-05-01}]}}]}`)
	got, ok := table.NextUntil(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	if want := time.Date(2030, 5, 2, 0, 0, 0, 0, time.UTC); !ok || !got.Equal(want) {
		t.Errorf("NextUntil = %v, %v, want %v", got, ok, want)
	}
}
