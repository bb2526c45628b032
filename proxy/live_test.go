package proxy

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"gatehouse/ipallow"
)

// liveTenants are two of whom one admits whom a name lists.
var liveTenants = map[string]string{
	"acme": `hosts: [a.example]
sets: {vpn: [127.0.0.1, {dns: vpn.acme.example}]}
access: {allow: [set:vpn]}
backends: ["{backend}"]
`,
	"globex": "hosts: [b.example]\naccess: {allow: [127.0.0.2]}\nbackends: [\"{backend}\"]\n",
}

// list has every live source of the table list these addresses.
func (w *world) list(addresses string) {
	w.t.Helper()
	var prefixes []netip.Prefix
	for word := range strings.FieldsSeq(addresses) {
		prefixes = append(prefixes, netip.MustParsePrefix(word))
	}
	contents, err := ipallow.NewContents(prefixes)
	if err != nil {
		w.t.Fatal(err)
	}
	known := make(map[ipallow.SourceID]ipallow.Known)
	for _, s := range w.table.Sources() {
		known[s.ID()] = ipallow.Known{Contents: contents}
	}
	w.table = w.table.WithLive(ipallow.NewLive(known), w.table.Generation()+1)
	w.server.Apply(w.table)
}

// TestLiveSourceRevokes: whom a live source lists no more loses what is open
// and gets nothing new; whom it lists instead comes in, and
// others do not notice. On both data planes.
func TestLiveSourceRevokes(t *testing.T) {
	t.Parallel()
	for _, plane := range []DataPlane{OwnPlane, StandardPlane} {
		w := newWorldOn(t, liveTenants, plane)
		w.answerWith(echo)
		w.list("127.0.0.2/32")
		goes, stays := w.talk("127.0.0.2", "https://a.example/ws"), w.talk("127.0.0.1", "https://a.example/ws")
		other := w.talk("127.0.0.2", "https://b.example/ws")
		idle := w.dial("127.0.0.2", "a.example")
		w.list("127.0.0.3/32")
		diesWithin(t, goes, inTime)
		endsWithin(t, idle, inTime)
		say(t, stays)
		say(t, other)
		w.answerWith(nil)
		for client, want := range map[string]int{"127.0.0.1": http.StatusOK, "127.0.0.2": http.StatusForbidden, "127.0.0.3": http.StatusOK} {
			if status, _ := w.get(w.client("direct", client, true), "https://a.example/"); status != want {
				t.Errorf("%s gets %d, want %d", client, status, want)
			}
		}
	}
}

// TestLiveSourceUnchanged: an answer that changes nothing of a tenant's leaves
// what it has running as it is.
func TestLiveSourceUnchanged(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, fstest.MapFS{}, liveTenants)
	w.list("127.0.0.2/32")
	before := w.server.snapshot().of(w.table.Tenant("acme"))
	w.list("127.0.0.3/32")
	if w.server.snapshot().of(w.table.Tenant("acme")) != before {
		t.Error("the tenant runs anew")
	}
}
