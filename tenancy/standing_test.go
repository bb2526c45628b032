package tenancy_test

import (
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"gatehouse/tenancy"
)

// TestStanding: what closes a tenant counts as long as it holds, and routes that
// are kept open do not.
func TestStanding(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/decide/maintenance.txtar")
	if err != nil {
		t.Fatal(err)
	}
	table, _ := newTree(t, archive).compile(nil)
	noon := time.Date(2026, time.June, 1, 12, 0, 0, 0, time.UTC)
	past := tenancy.Order{Until: noon}
	for _, test := range []struct {
		name, tenant string
		levers       tenancy.Levers
		want         tenancy.Standing
	}{
		{"one host by a window", "acme", tenancy.Levers{}, tenancy.Standing{Maintained: 2, Routes: 10}},
		{"by command", "acme", tenancy.Levers{Maintenance: map[string]tenancy.Order{"acme": {}}}, tenancy.Standing{Maintained: 5, Routes: 10}},
		{"the whole of it", "initech", tenancy.Levers{Maintenance: map[string]tenancy.Order{"initech": {}}}, tenancy.Standing{Maintained: 1, Routes: 1}},
		{"of another", "initech", tenancy.Levers{Maintenance: map[string]tenancy.Order{"acme": {}}}, tenancy.Standing{Routes: 1}},
		{"suspended", "globex", tenancy.Levers{Suspended: map[string]tenancy.Order{"globex": {}}}, tenancy.Standing{Suspended: true, Routes: 1}},
		{"drained", "globex", tenancy.Levers{Drained: []tenancy.DrainOrder{{Tenant: "globex"}}}, tenancy.Standing{Drained: true, Routes: 1}},
		{"a backend drained", "globex", tenancy.Levers{Drained: []tenancy.DrainOrder{{Tenant: "globex", Backend: "10.5.1.10:8080"}}}, tenancy.Standing{Routes: 1}},
		{"over", "globex", tenancy.Levers{
			Drained:     []tenancy.DrainOrder{{Tenant: "globex", Order: past}},
			Maintenance: map[string]tenancy.Order{"globex": past},
		}, tenancy.Standing{Routes: 1}},
	} {
		laid := table.WithLevers(test.levers, 2)
		if got := laid.Standing(laid.Tenant(test.tenant), noon.Unix()); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

// TestKeptOpenChangesTenant: to keep a host open is another tenant, even where no
// window is written that it takes back.
func TestKeptOpenChangesTenant(t *testing.T) {
	tr := newTree(t, txtar.Parse([]byte(`
-- gatehouse.yaml --
version: 1
include: [tenants/*.yaml]
-- tenants/acme.yaml --
hosts: [{host: acme.example, tls: {profile: modern}}]
access: {public: shop}
backends: ["http://10.4.1.10:8080"]
`)))
	before, _ := tr.compile(nil)
	tr.files["tenants/acme.yaml"].Data = []byte(`hosts: [{host: acme.example, tls: {profile: modern}, maintenance: []}]
access: {public: shop}
backends: ["http://10.4.1.10:8080"]
`)
	after, _ := tr.compile(nil)
	if before.Tenant("acme").Digest() == after.Tenant("acme").Digest() {
		t.Error("the tenant counts as unchanged")
	}
}
