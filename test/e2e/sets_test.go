package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/dnsquery/dnstest"
)

const liveAcme = `hosts: [acme.example]
sets:
  vpn: [127.0.0.2, {dns: vpn.acme.example, refresh: 10s}]
access: {allow: [set:vpn, set:cloud]}
backends: ["%s"]
`

// TestSetsFollowTheirSources: whom a name and a URL list comes in; when the name
// lists another, the former loses what is open, and others keep it.
func TestSetsFollowTheirSources(t *testing.T) {
	t.Parallel()
	dns, err := dnstest.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(dns.Close)
	dns.Zone("acme.example")
	dns.Add("vpn.acme.example. A 203.0.113.77")
	lists := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "198.51.100.0/28 # the cloud\n")
	}))
	t.Cleanup(lists.Close)

	w := newWorld(t)
	w.write(t, "lists.pem", pemOf("CERTIFICATE", lists.Certificate().Raw))
	main, err := os.ReadFile(w.config())
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "gatehouse.yaml", string(main)+"resolvers: [\""+dns.Addr()+"\"]\nsets: {cloud: [{url: \""+lists.URL+"/cloud.txt\", ca: lists.pem}]}\n")
	w.write(t, "tenants/acme.yaml", strings.Replace(liveAcme, "%s", w.acme.url(), 1))
	w.start(t)

	asks := func(client string) int {
		c, err := w.dialThroughBalancer(t, client, "acme.example")
		if err != nil {
			t.Fatal(err)
		}
		answer, _, err := exchange(c, plainGet("/", "acme.example"))
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode
	}
	for client, want := range map[string]int{"203.0.113.77": 200, "203.0.113.78": 403, "198.51.100.9": 200} {
		if got := asks(client); got != want {
			t.Errorf("%s gets %d, want %d", client, got, want)
		}
	}
	open := func(client string) <-chan error {
		c, err := w.dialThroughBalancer(t, client, "acme.example")
		if err != nil {
			t.Fatal(err)
		}
		if answer, _, err := exchange(c, plainGet("/", "acme.example")); err != nil || answer.StatusCode != 200 {
			t.Fatalf("%s: %v, %v", client, answer, err)
		}
		if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
		return ended
	}
	goes, stays := open("203.0.113.77"), open("198.51.100.9")
	dns.Set("vpn.acme.example. A 203.0.113.78")
	select {
	case <-goes:
	case <-time.After(30 * time.Second):
		t.Error("whom the name lists no more keeps the connection")
	}
	for client, want := range map[string]int{"203.0.113.77": 403, "203.0.113.78": 200} {
		if got := asks(client); got != want {
			t.Errorf("after the change %s gets %d, want %d", client, got, want)
		}
	}
	select {
	case err := <-stays:
		t.Errorf("whom the URL lists lost the connection: %v", err)
	default:
	}
	got := w.gatehouse(t, "status")
	got.has(t, "dns vpn.acme.example", "url "+lists.URL+"/cloud.txt", "fresh")
}
