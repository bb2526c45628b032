package gateway

import (
	"crypto/tls"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/admin"
	"gatehouse/internal/conf"
	"gatehouse/internal/dnsquery/dnstest"
	"gatehouse/internal/livesets"
)

const liveText = `hosts: [acme.example]
backends: ["http://127.0.0.1:1"]
sets:
  vpn:
    - {dns: vpn.acme.example, why: the office}
    - {file: ../lists/extra.txt}
access: {allow: [set:vpn]}
`

// TestLiveSets: what a name and a file list decides from the first connection on,
// a change cuts while the main file is broken, and the next process begins with
// what was listed last.
func TestLiveSets(t *testing.T) {
	s := dnstest.Start(t)
	s.Zone("acme.example")
	s.Add("vpn.acme.example. A 203.0.113.5")
	dir := tree(t, "tenants/acme.yaml", liveText, "lists/extra.txt", "127.0.0.1 # the test\n")
	up := setUp{dir: dir, ports: [2]int{freePort(t), freePort(t)}, more: fmt.Sprintf("resolvers: [%q]\n", s.Addr())}
	r := startWith(t, up)
	verdict := func(from string) (string, string) {
		e, err := r.client.Explain(t.Context(), admin.ExplainQuery{URL: "https://acme.example/", From: from})
		must(t, err)
		return e.Verdict, fmt.Sprint(e.Steps)
	}
	got, steps := verdict("203.0.113.5")
	if got != "forward" {
		t.Errorf("whom the name lists: %s", got)
	}
	wantContains(t, steps, "203.0.113.5 of set:vpn by dns vpn.acme.example (the office)", "tenants/acme.yaml:5:")
	if got, _ := verdict("203.0.113.6"); got != "refuse ip_not_allowed" {
		t.Errorf("whom nothing lists: %s", got)
	}
	status, err := r.client.Status(t.Context())
	must(t, err)
	if len(status.Sets) != 2 || status.Sets[0].State != livesets.Fresh || status.Sets[1].State != livesets.Fresh {
		t.Errorf("status has %+v", status.Sets)
	}

	c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.https), &tls.Config{InsecureSkipVerify: true, ServerName: "acme.example"})
	must(t, err)
	defer c.Close()
	put(t, dir, "gatehouse.yaml", "version: 1\nnonsense: true\n")
	put(t, dir, "lists/extra.txt", "198.51.100.0/28\n")
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	if n, err := c.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection of whom the file lists no more goes on: %d, %v", n, err)
	}
	if got, _ := verdict("198.51.100.7"); got != "forward" {
		t.Errorf("whom the file lists now: %s", got)
	}
	r.stop()

	s.Fault("vpn.acme.example", dnstest.ServFail)
	r = startWith(t, up)
	defer r.stop()
	if got, _ := verdict("203.0.113.5"); got != "forward" {
		t.Errorf("whom the name listed before the restart: %s", got)
	}
	eventually(t, "the name is said to fail", func() bool {
		status, err := r.client.Status(t.Context())
		must(t, err)
		return status.Sets[0].State == livesets.Failing && strings.Contains(status.Sets[0].Why, "SERVFAIL") && len(status.Notes) > 0
	})
	wantContains(t, r.said.String(), "a live source gives no good answer; its last one stays in use")
}

// TestCheckLiveSets: check reads files and no network, and says so; explain by
// the files knows what files list.
func TestCheckLiveSets(t *testing.T) {
	t.Parallel()
	main := "version: 1\ninclude: [tenants/*.yaml]\n"
	dir := tree(t, "gatehouse.yaml", main, "tenants/acme.yaml", liveText, "lists/extra.txt", "198.51.100.0/28\n")
	result, err := Check(dir + "/gatehouse.yaml")
	must(t, err)
	notes := 0
	for _, f := range result.Findings {
		if f.Severity == conf.Note && strings.Contains(f.Text, "what dns vpn.acme.example lists was not looked at") && f.Pos.Line == 5 {
			notes++
		}
	}
	if !result.Fine || notes != 1 {
		t.Errorf("fine: %v, findings %v", result.Fine, result.Findings)
	}
	for from, want := range map[string]string{"198.51.100.7": "forward", "203.0.113.5": "refuse ip_not_allowed"} {
		e, _, err := Explain(dir+"/gatehouse.yaml", admin.ExplainQuery{URL: "https://acme.example/", From: from})
		must(t, err)
		if e.Verdict != want {
			t.Errorf("%s: %s, want %s", from, e.Verdict, want)
		}
		if want != "forward" {
			wantContains(t, fmt.Sprint(e.Steps), "what dns vpn.acme.example lists is not known")
		}
	}
	put(t, dir, "lists/extra.txt", "nobody\n")
	result, err = Check(dir + "/gatehouse.yaml")
	must(t, err)
	if text := fmt.Sprint(result.Findings); !result.Fine || !strings.Contains(text, "file lists/extra.txt cannot be taken: line 1") {
		t.Errorf("findings %v", text)
	}
}
