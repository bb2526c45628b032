package tenancy_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"gatehouse/internal/http1"
	"gatehouse/internal/limit"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

const mergeArchive = `
-- gatehouse.yaml --
version: 1
include: [tenants/*.yaml]
tls: {hsts: {max_age: 365d}, certificates: {cert: tls/main.pem, key: {file: tls/main.key}}}
defaults:
  timeouts: {connect: 1s, first_byte: 10s, idle: 10s}
  retries: {attempts: 2, min: 2/s}
  limits: {head: 8KiB, fields: 40, interim: 2, min_rate: off}
  headers: {response: {set: {X-Level: defaults, X-Defaults: "1"}, remove: [Server]}}
groups:
  gold:
    timeouts: {first_byte: 20s, idle: 20s}
    retries: {budget: 30%}
    tls: {profile: modern}
    limits: {fields: 50, trailers: 1KiB}
    pass_headers: [x_workflow_id]
-- tenants/acme.yaml --
group: gold
hosts:
  - acme.example
  - host: api.acme.example
    timeouts: {idle: 40s, upgrade_idle: 2h}
    limits: {target: 2KiB, min_rate: 1KiB/s}
    tls: {profile: intermediate, hsts: {include_subdomains: true}}
    headers: {response: {set: {x-level: host}, remove: []}}
    request_buffer: 0B
access: {allow: [203.0.113.0/28]}
timeouts: {idle: 30s, keep_alive: 5s}
limits: {head: 32KiB, chunk_extensions: 0B}
backends: ["http://10.4.1.10:8080", "http://10.4.1.11:8080"]
routes:
  /reports/:
    timeouts: {first_byte: 10m}
    retries: {attempts: 1}
    limits: {answer_head: 4KiB, interim: 3, min_rate_after: 1m}
    request_buffer: 1KiB
    headers: {request: {set: {X-Report: "yes"}, remove: [Cookie]}}
`

// TestMerging reads the effective values of a tenant: built-in < defaults <
// group < tenant < host < route.
func TestMerging(t *testing.T) {
	tree := newTree(t, txtar.Parse([]byte(mergeArchive)))
	tree.direct(t, []string{"pair", "tls/main.pem", "tls/main.key", "acme.example", "*.acme.example"})
	table, result := tree.compile(nil)
	for _, f := range result.Report.Findings() {
		t.Error(f)
	}
	plain, api := table.Lookup("acme.example"), table.Lookup("api.acme.example")
	timeouts := tenancy.Timeouts{
		Connect: time.Second, Header: 10 * time.Second, FirstByte: 20 * time.Second, Idle: 30 * time.Second,
		KeepAlive: 5 * time.Second, UpgradeIdle: time.Hour,
	}
	diff(t, "the host's timeouts", timeouts, plain.Timeouts())
	reports, root := plain.Routes()[0], plain.Routes()[1]
	timeouts.FirstByte = 10 * time.Minute
	diff(t, "the route's timeouts", timeouts, reports.Timeouts())
	timeouts.Idle, timeouts.UpgradeIdle = 40*time.Second, 2*time.Hour
	diff(t, "the timeouts of the route on the other host", timeouts, api.Routes()[0].Timeouts())
	diff(t, "the tenant's retries", limit.Allowance{Share: 30, Every: time.Second / 2}, table.Tenant("acme").Retries())
	diff(t, "attempts", []int{1, 2}, []int{reports.Attempts(), root.Attempts()})
	diff(t, "the table's timeouts", 10*time.Second, table.Timeouts().FirstByte)

	diff(t, "profiles", []tlsconfig.Profile{tlsconfig.Modern, tlsconfig.Intermediate}, []tlsconfig.Profile{plain.Profile(), api.Profile()})
	diff(t, "HSTS", []string{"max-age=31536000", "max-age=31536000; includeSubDomains"}, []string{plain.HSTS(), api.HSTS()})
	diff(t, "request buffers", []int64{1 << 10, 64 << 10, 1 << 10, 0},
		[]int64{reports.RequestBuffer(), root.RequestBuffer(), api.Routes()[0].RequestBuffer(), api.Routes()[1].RequestBuffer()})

	diff(t, "the header rules of the route", &tenancy.HeaderRules{
		RequestSet:     []tenancy.Field{{Name: "X-Report", Lower: "x-report", Value: "yes"}},
		RequestRemove:  []string{"cookie"},
		ResponseSet:    []tenancy.Field{{Name: "X-Level", Lower: "x-level", Value: "defaults"}, {Name: "X-Defaults", Lower: "x-defaults", Value: "1"}},
		ResponseRemove: []string{"server"},
	}, reports.Headers())
	diff(t, "the header rules of the host", &tenancy.HeaderRules{
		ResponseSet: []tenancy.Field{{Name: "X-Defaults", Lower: "x-defaults", Value: "1"}, {Name: "x-level", Lower: "x-level", Value: "host"}},
	}, api.Routes()[1].Headers())
	if !root.PassHeader([]byte("X_Workflow_ID")) || root.PassHeader([]byte("x_other")) {
		t.Error("pass_headers of the group does not hold")
	}
	diff(t, "pool keys", true, root.Plan().Key() == reports.Plan().Key() && root.Plan().Key() == api.Routes()[1].Plan().Key())
	for i, r := range table.Tenant("acme").Routes() {
		diff(t, "the index of a route", i, r.Index())
	}
}

func diff[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s differ (-want +got):\n%s", what, d)
	}
}

// TestMergingLimits does the same with limits.
func TestMergingLimits(t *testing.T) {
	tree := newTree(t, txtar.Parse([]byte(mergeArchive)))
	tree.direct(t, []string{"pair", "tls/main.pem", "tls/main.key", "acme.example", "*.acme.example"})
	table, _ := tree.compile(nil)
	want := tenancy.Limits{
		Request: http1.Limits{HeadBytes: 8 << 10, Fields: 40, TargetBytes: 16 << 10, ChunkExtensionBytes: 4 << 10, TrailerBytes: 8 << 10},
		Answer:  http1.Limits{HeadBytes: 64 << 10, Fields: 40, TargetBytes: 16 << 10, ChunkExtensionBytes: 4 << 10, TrailerBytes: 8 << 10},
		Interim: 2, Body: 64 << 20,
		MinRate: tenancy.MinRate{After: 10 * time.Second, Ahead: 10 * time.Second},
	}
	diff(t, "the table's limits", &want, table.Limits())
	plain, api := table.Lookup("acme.example"), table.Lookup("api.acme.example")
	for _, m := range []*http1.Limits{&want.Request, &want.Answer} {
		m.Fields, m.ChunkExtensionBytes, m.TrailerBytes = 50, 0, 1<<10
	}
	want.Request.HeadBytes, want.MinRate.Ahead = 32<<10, 30*time.Second
	diff(t, "the host's limits", &want, plain.Limits())
	reports, root := plain.Routes()[0], plain.Routes()[1]
	if root.Limits() != plain.Limits() {
		t.Error("a route that says nothing has a copy of its host's limits")
	}
	onRoute := want
	onRoute.Answer.HeadBytes, onRoute.Interim, onRoute.MinRate.After = 4<<10, 3, time.Minute
	diff(t, "the route's limits", &onRoute, reports.Limits())
	for _, m := range []*http1.Limits{&want.Request, &want.Answer} {
		m.TargetBytes = 2 << 10
	}
	want.MinRate = tenancy.MinRate{PerSecond: 1 << 10, After: 10 * time.Second, Ahead: 40 * time.Second}
	diff(t, "the other host's limits", &want, api.Limits())
}

// TestBuiltinLimits: what nobody writes is what the reference says.
func TestBuiltinLimits(t *testing.T) {
	table, _ := newTree(t, txtar.Parse([]byte("-- gatehouse.yaml --\nversion: 1\n"))).compile(nil)
	want := &tenancy.Limits{
		Request: http1.DefaultLimits(), Answer: http1.DefaultLimits(), Interim: 16, Body: 64 << 20,
		MinRate: tenancy.MinRate{PerSecond: 240, After: 10 * time.Second, Ahead: time.Minute},
	}
	diff(t, "the built-in limits", want, table.Limits())
}
