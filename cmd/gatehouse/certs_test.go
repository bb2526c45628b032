package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatehouse/internal/admin"
)

// TestPrintCertificates: what operators see of each state.
func TestPrintCertificates(t *testing.T) {
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	three := 3
	list := []admin.CertificateStatus{
		{
			Names: []string{"a.example"}, State: "valid", Issuer: "letsencrypt", Tenant: "acme", Source: "acme",
			NotAfter: now.AddDate(0, 2, 0), RenewFrom: now.AddDate(0, 1, 0), RenewUntil: now.AddDate(0, 1, 2),
		},
		{Names: []string{"b.example"}, State: "queued", Tenant: "acme", Source: "acme", Estimated: now.Add(50*time.Hour + 10*time.Minute)},
		{
			Names: []string{"c.example"}, State: "failed", Issuer: "letsencrypt", Tenant: "acme", Source: "acme", NotAfter: now.Add(time.Hour),
			AttemptsLeft: &three, NextTry: now.Add(90 * time.Second), LastError: "urn:ietf:params:acme:error:dns: no answer",
		},
		{
			Names: []string{"d.example"}, State: "pending-dns", Tenant: "globex", Source: "acme", NextTry: now.Add(-time.Second),
			Detail: "d.example does not lead here", Record: "d.example. A 192.0.2.1",
		},
		{Names: []string{"w.example", "x.example", "y.example", "z.example"}, State: "expires-soon", Source: "tls/cert.pem", NotAfter: now.AddDate(0, 0, 3)},
	}
	var got bytes.Buffer
	if err := printCertificates(&got, list, now); err != nil {
		t.Fatal(err)
	}
	want := `NAMES                                  STATE         ISSUER       UNTIL              RENEWAL                               ATTEMPTS  NEXT       TENANT  SOURCE
a.example                              valid         letsencrypt  2027-05-01T12:00Z  2027-04-01T12:00Z..2027-04-03T12:00Z  -         -          acme    acme
b.example                              queued        -            -                  -                                     -         in 2d2h    acme    acme
c.example                              failed        letsencrypt  2027-03-01T13:00Z  -                                     3         in 1m30s   acme    acme
d.example                              pending-dns   -            -                  -                                     -         now        globex  acme
w.example, x.example, y.example and 1 more  expires-soon  -            2027-03-04T12:00Z  -                                     -         -          -       tls/cert.pem

c.example (failed)
  the authority says: urn:ietf:params:acme:error:dns: no answer

d.example (pending-dns)
  d.example does not lead here
  to set: d.example. A 192.0.2.1
`
	for i := range 3 {
		list = append(list, admin.CertificateStatus{Names: []string{fmt.Sprintf("%d.example", i)}, State: "queued", Detail: "no authority works"})
	}
	many := new(bytes.Buffer)
	printTroubles(many, list[5:])
	if want := "\n0.example, 1.example, 2.example (queued)\n  no authority works\n"; many.String() != want {
		t.Errorf("what is the same for many: %q, want %q", many, want)
	}
	squeeze := func(text string) string {
		var lines []string
		for line := range strings.Lines(text) {
			indent := len(line) - len(strings.TrimLeft(line, " "))
			lines = append(lines, line[:indent]+strings.Join(strings.Fields(line), " "))
		}
		return strings.Join(lines, "\n")
	}
	if diff := cmp.Diff(squeeze(want), squeeze(got.String())); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

func TestRoughly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		300 * time.Millisecond: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m1s", 3 * time.Hour: "3h0m",
		49*time.Hour + 59*time.Minute: "2d1h",
	} {
		if got := roughly(d); got != want {
			t.Errorf("roughly(%v) = %q, want %q", d, got, want)
		}
	}
}

// TestKeysStayOffTerminals: what is a terminal, and what is not.
func TestKeysStayOffTerminals(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	file, err := os.Create(t.TempDir() + "/pair.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if !isTerminal(terminal) || isTerminal(null) || isTerminal(file) || isTerminal(new(bytes.Buffer)) {
		t.Errorf("terminal %v, null %v, file %v", isTerminal(terminal), isTerminal(null), isTerminal(file))
	}
}
