package e2e

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserOfApplications: what people do in business applications, over both protocols: they send a file by a form,
// watch events come, and keep a WebSocket.
func TestBrowserOfApplications(t *testing.T) {
	t.Parallel()
	x := newTransfers(t)
	file := bytes.Repeat(x.app.file, 4)
	path := x.keep(t, "form.bin", file)
	for _, protocol := range []struct {
		name  string
		flags []chromedp.ExecAllocatorOption
	}{
		{"h2", nil},
		{"http/1.1", []chromedp.ExecAllocatorOption{chromedp.Flag("disable-http2", true)}},
	} {
		t.Run(protocol.name, func(t *testing.T) {
			ctx := chromium(t, x.world, protocol.flags...)
			if err := chromedp.Do(ctx, chromedp.Navigate(x.url("acme.example", "/form"))); err != nil {
				t.Fatal(err)
			}
			if got := evaluate(ctx, t, `performance.getEntriesByType("navigation")[0].nextHopProtocol`); got != protocol.name {
				t.Errorf("the page came over %q, want %q", got, protocol.name)
			}
			if got := evaluate(ctx, t, watchEvents); got != "1 2 3" {
				t.Errorf("the events were %q, want 1 2 3", got)
			}
			if got := evaluate(ctx, t, fmt.Sprintf(talk, x.https)); got != "hello" {
				t.Errorf("the WebSocket said %q, want hello", got)
			}
			answer, err := chromedp.RunResponse(ctx, chromedp.SetUploadFiles(`input`, []string{path}), chromedp.Click(`button`))
			if err != nil || answer.Status != 200 {
				t.Fatalf("the form was answered with %v, %v, want 200", answer, err)
			}
			want := fmt.Sprintf("sum=%s bytes=%d", digest(file), len(file))
			if got := evaluate(ctx, t, `document.body.innerText`); strings.TrimSpace(got) != want {
				t.Errorf("the form was taken as %q, want %q", got, want)
			}
		})
	}
}

// watchEvents tells the app of each event that has come; without that, the app does not say the next one.
const watchEvents = `new Promise((resolve, reject) => {
  const got = [], source = new EventSource("/events")
  source.onmessage = e => { got.push(e.data); fetch("/seen?n=" + e.data, {method: "POST"}) }
  source.onerror = () => reject("the events ended behind " + got)
  source.addEventListener("end", () => { source.close(); resolve(got.join(" ")) })
})`

const talk = `new Promise((resolve, reject) => {
  const socket = new WebSocket("wss://acme.example:%d/ws")
  socket.onopen = () => socket.send("hello")
  socket.onmessage = e => resolve(e.data)
  socket.onerror = () => reject("no WebSocket")
})`

// evaluate runs a script in the page, and waits for what it promises.
func evaluate(ctx context.Context, t *testing.T, script string) string {
	t.Helper()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return got
}
