package proxy

import (
	"fmt"
	"testing"
)

// A named pool is one for all routes that name it, and a tenant that moves to
// another and back finds it as it was left as long as something names it.
func TestNamedPools(t *testing.T) {
	t.Parallel()
	blue, green := namedBackend(t, "blue", nil), namedBackend(t, "green", nil)
	tenant := func(current, reports string) string {
		return fmt.Sprintf("hosts: [a.example]\naccess: {public: test}\nbackends: pool:%s\nroutes: {/reports/: {backends: pool:%s}}\n"+
			"pools:\n  blue: {backends: [\"http://%s\"]}\n  green: {backends: [\"http://%s\"]}\n", current, reports, blue, green)
	}
	g := startGateway(t, tenant("blue", "green"), setup{})
	run := func() *running { return g.snapshot().of(g.snapshot().table.Tenant("acme")) }
	if _, got := whoAnswers(t, g, ""); got != "blue" {
		t.Fatalf("%s answers, want blue", got)
	}
	before := run()
	if got := fmt.Sprint(before.labels); got != "[pool:blue pool:green]" {
		t.Errorf("pools %s", got)
	}
	g.Apply(compileTable(t, tenant("green", "green"), setup{}))
	if _, got := whoAnswers(t, g, ""); got != "green" {
		t.Errorf("%s answers after the move, want green", got)
	}
	after := run()
	if after.pools[0] != after.pools[1] || after.pools[0] != before.pools[0] {
		t.Error("the pool green is not one, or not the one from before")
	}
	if len(after.distinct) != 1 {
		t.Errorf("%d pools run, want green alone", len(after.distinct))
	}
}

// A pool without a name is called by the widest route that has it, whatever
// routes lie below: what watches it by that label goes on to find it.
func TestSharedPoolsAreCalledByTheWidestRoute(t *testing.T) {
	t.Parallel()
	own, other := namedBackend(t, "own", nil), namedBackend(t, "other", nil)
	g := startGateway(t, fmt.Sprintf("hosts: [a.example]\naccess: {public: test}\nbackends: [\"http://%s\"]\nroutes:\n"+
		"  /reports/: {timeouts: {first_byte: 5m}}\n  /images/: {backends: [\"http://%s\"]}\n  /images/small/: {}\n", own, other), setup{})
	run := g.snapshot().of(g.snapshot().table.Tenant("acme"))
	if got := fmt.Sprint(run.labels); got != "[/ /images/]" {
		t.Errorf("pools %s, want [/ /images/]", got)
	}
}

// Pools of several hosts are told apart, and the tenant's own is called as it
// would be without them.
func TestPoolsOfHostsAreToldApart(t *testing.T) {
	t.Parallel()
	host := func(name string) string {
		return fmt.Sprintf("  - {host: %s, backends: [\"http://%s\"]}\n", name, namedBackend(t, name, nil))
	}
	g := startGateway(t, "hosts:\n"+host("b.example")+"  - a.example\n"+host("c.example")+
		fmt.Sprintf("access: {public: test}\nbackends: [\"http://%s\"]\n", namedBackend(t, "own", nil)), setup{})
	run := g.snapshot().of(g.snapshot().table.Tenant("acme"))
	if got := fmt.Sprint(run.labels); got != "[/ b.example/ c.example/]" {
		t.Errorf("pools %s, want [/ b.example/ c.example/]", got)
	}
}
