package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"testing"
)

// TestSticky: browsers stay where they were placed, over both protocols, a reload and a restart; whose backend goes
// is placed anew and stays there.
func TestSticky(t *testing.T) {
	for _, plane := range []string{"own", "standard"} {
		t.Run(plane, func(t *testing.T) {
			t.Parallel()
			testSticky(t, plane)
		})
	}
}

func testSticky(t *testing.T, plane string) {
	w := newWorld(t)
	text, err := os.ReadFile(w.config())
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "gatehouse.yaml", string(text)+"data_plane: "+plane+"\n")
	blue, green := startRelease(t, "blue"), startRelease(t, "green")
	tenant := func(settings string) string {
		return acmeText("pool:app") + fmt.Sprintf("pools: {app: {backends: [%q, %q], sticky: app_place}}\n", blue.URL, green.URL) + settings
	}
	w.write(t, "tenants/acme.yaml", tenant(""))
	p := w.start(t)
	browsers := make([]*http.Client, 4)
	place := make([]string, len(browsers))
	for i := range browsers {
		browsers[i] = w.client(t, clientOfAcme, []string{"h2", "http/1.1"}[i%2])
		browsers[i].Jar, _ = cookiejar.New(nil)
		place[i] = w.page(t, browsers[i])
	}
	stay := func(when string) {
		t.Helper()
		for i, browser := range browsers {
			for range 5 {
				if got := w.page(t, browser); got != place[i] {
					t.Errorf("%s: browser %d was placed at %s and gets %s", when, i, place[i], got)
				}
			}
		}
	}
	if place[0] == place[1] || place[2] == place[3] {
		t.Errorf("browsers were placed at %v, want in turn", place)
	}
	stay("at first")
	w.write(t, "tenants/acme.yaml", tenant("slow_start: 10s\n"))
	w.reload(t)
	stay("after a reload")
	p.stop()
	p = w.start(t)
	stay("after a restart")
	green.CloseClientConnections()
	green.Close()
	for i, browser := range browsers {
		if place[i] = w.page(t, browser); place[i] != "blue" {
			t.Errorf("while green is down: browser %d gets %s, want blue", i, place[i])
		}
	}
	stay("while green is down")
	p.stop()
}

// page returns what a browser sees.
func (w *world) page(t *testing.T, browser *http.Client) string {
	t.Helper()
	r, err := browser.Get(w.url("acme.example", "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", r.Status, err)
	}
	return string(text)
}
