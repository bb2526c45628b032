package tenancy_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"gatehouse/tenancy"
)

// attacker writes one tenant's file as whoever wants what is another's.
type attacker struct{ *rand.Rand }

func (a attacker) some(of ...string) string {
	var chosen []string
	for _, item := range of {
		if a.IntN(4) == 0 {
			chosen = append(chosen, item)
		}
	}
	return strings.Join(chosen, ", ")
}

func (a attacker) one(of ...string) string { return of[a.IntN(len(of))] }

func (a attacker) text() string {
	return a.one("", "", "group: none\n", "nonsense: 1\n") +
		"hosts: [" + a.one("evil.example, ", "evil.example, ", "") + a.some(
		"pa.acme.example", "x.acme.example", `"*.acme.example"`, "lent.acme.example", "acme.example", `"*.example"`,
		"globex.example", `"*.globex.example"`, "PA.ACME.example.", `"*.evil.example"`, "{host: a.globex.example, access: {allow: []}}",
	) + "]\nlends: [" + a.some("pa.acme.example", "x.evil.example", "globex.example") + "]\n" +
		"backends: [" + a.one(`"http://10.9.9.9"`, `"http://10.9.9.9"`, a.some(
		`"http://10.4.1.10:8080"`, `{url: "http://10.4.1.10:8080", shared: true}`, `{url: "http://10.5.1.10:80", shared: true}`,
		`"http://app.acme.internal"`, `"http://APP.acme.internal.:80"`, `"http://[::ffff:10.4.1.10]:8080"`,
	)) + "]\n" + a.one("access: {public: shop}\n", "access: {allow: []}\n", "access: {allow: [set:none]}\n", "") +
		a.one("", "", "expect: [{get: \"https://pa.acme.example/\", from: 203.0.113.5, is: refuse unknown_host}]\n", "routes: [\n") +
		a.one("", "", "tls: {certificates: {cert: ../secrets/acme/cert.pem, key: {file: ../secrets/acme/key.pem}}}\n")
}

// TestAttackerTakesNothing lets one tenant write anything into its own file, and
// others change theirs meanwhile, over reloads and restarts. Whatever is served
// of others goes on to be served, by their own backends.
func TestAttackerTakesNothing(t *testing.T) {
	for seed := range uint64(40) {
		a := attacker{rand.New(rand.NewPCG(seed, 1))}
		lastGood := make(map[string][]byte)
		var table *tenancy.Table
		evil, edits := "hosts: [evil.example]\naccess: {public: shop}\nbackends: [\"http://10.9.9.9\"]\n", 0
		for step := range 20 {
			in := compileInput(
				tenancy.TenantFile{ID: "acme", Path: "acme.yaml", Text: fmt.Appendf(nil, "hosts: [pa.acme.example, \"*.acme.example\"]\nlends: [lent.acme.example]\naccess: {allow: [203.0.113.0/28]}\n"+
					"backends: [\"http://10.4.1.10:8080\", \"http://app.acme.internal\"]\nrequest_buffer: %dKiB\n", edits)},
				tenancy.TenantFile{ID: "evil", Path: "evil.yaml", Text: []byte(evil)},
				tenancy.TenantFile{ID: "globex", Path: "globex.yaml", Text: []byte("hosts: [globex.example]\naccess: {public: shop}\nbackends: [{url: \"http://10.5.1.10\", shared: true}]\n")},
			)
			in.LastGood = func(id string) ([]byte, bool) { text, ok := lastGood[id]; return text, ok }
			in.Previous, in.MainText = table, []byte("version: 1")
			next, result := tenancy.Compile(in)
			if result.Force != "" || !result.Applicable() {
				t.Fatalf("seed %d, step %d: %s, %s", seed, step, summary(result), result.Force)
			}
			table = next
			for id, text := range result.LastGood {
				lastGood[id] = text
			}
			checkVictims(t, table, fmt.Sprintf("seed %d, step %d, with\n%s", seed, step, evil))
			evil = a.text()
			switch a.IntN(4) {
			case 0:
				edits++
			case 1:
				table = nil // a restart
			}
		}
	}
}

func checkVictims(t *testing.T, table *tenancy.Table, when string) {
	t.Helper()
	for host, want := range map[string]string{
		"pa.acme.example": "acme", "x.acme.example": "acme", "y.acme.example": "acme", "globex.example": "globex",
	} {
		v := table.Judge(tenancy.Question{Scheme: "https", Host: host, From: netip.MustParseAddr("203.0.113.5")}, nil)
		if v.Action != tenancy.Forward || v.Tenant.ID() != want {
			t.Fatalf("%s is %s, want forward by %s; %s", host, v, want, when)
		}
	}
	users := make(map[string]string)
	for _, tenant := range table.Tenants() {
		for _, r := range tenant.Routes() {
			for _, b := range r.Backends() {
				if other, used := users[b.Address()]; used && other != tenant.ID() && !b.Shared() {
					t.Fatalf("%s is used by %s and %s; %s", b.Address(), other, tenant.ID(), when)
				}
				users[b.Address()] = tenant.ID()
			}
		}
	}
}
