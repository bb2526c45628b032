package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/admin"
	"gatehouse/internal/dnsquery/dnstest"
)

// zone is the DNS of a script with an authority.
type zone struct{ *dnstest.Server }

// tsigKey is what changes records there.
const tsigKey = "a key of the operator's own, 32 B"

// authority starts a certificate authority and the DNS that it asks:
// `authority HTTP_PORT HTTPS_PORT [BLOCKED...]`, the last being names that it
// refuses. They are found at $DIRECTORY and $DNS, and ca.pem vouches for the
// authority's server; records of example are added by dns. The key gatehouse.
// may change wild.example, and is in tsig.key.
func authority(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: authority HTTP_PORT HTTPS_PORT [BLOCKED...]")
	}
	httpPort, err := strconv.Atoi(args[0])
	ts.Check(err)
	tlsPort, err := strconv.Atoi(args[1])
	ts.Check(err)
	dns, err := dnstest.Listen("127.0.0.1:0")
	ts.Check(err)
	ts.Defer(dns.Close)
	dns.Zone("example", "wild.example")
	dns.AllowUpdates("wild.example", "gatehouse.", []byte(tsigKey))
	*ts.Value(zone{}).(*zone) = zone{dns}
	a, err := acmetest.Start(acmetest.Options{DNS: dns.Addr(), HTTPPort: httpPort, TLSPort: tlsPort, Blocked: args[2:]})
	ts.Check(err)
	ts.Defer(a.Stop)
	ts.Setenv("DIRECTORY", a.Directory)
	ts.Setenv("DNS", dns.Addr())
	ts.Check(os.WriteFile(ts.MkAbs("ca.pem"), a.Root, 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("tsig.key"), []byte(base64.StdEncoding.EncodeToString([]byte(tsigKey))), 0o600))
}

// dns adds records below example: `dns 'a.example. A 127.0.0.1'`.
func dns(ts *testscript.TestScript, neg bool, records []string) {
	server := ts.Value(zone{}).(*zone)
	if neg || len(records) == 0 || server.Server == nil {
		ts.Fatalf("usage: dns RECORD..., after authority")
	}
	for _, record := range records {
		server.Add(strings.TrimSpace(record))
	}
}

// serial sets a variable to the serial number of the certificate of a host:
// `serial a.example NAME`.
func serial(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: serial HOST VARIABLE")
	}
	ts.Setenv(args[1], serialOf(ts, args[0]))
}

func serialOf(ts *testscript.TestScript, host string) string {
	ts.Check(ts.Exec("gatehouse", "certs", "--json"))
	var list []admin.CertificateStatus
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &list))
	for _, c := range list {
		if slices.Contains(c.Names, host) {
			return c.Serial
		}
	}
	ts.Fatalf("there is no %s", host)
	return ""
}

// renewed waits until the certificate of a host has another serial number:
// `renewed a.example 1f`.
func renewed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: renewed HOST SERIAL")
	}
	deadline := time.After(patience)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for serialOf(ts, args[0]) == args[1] {
		select {
		case <-again.C:
		case <-deadline:
			ts.Fatalf("the certificate of %s is not renewed", args[0])
		}
	}
}
