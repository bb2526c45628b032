package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestBrowser: Chromium trusts our root, follows the redirect and loads the page over HTTP/2.
func TestBrowser(t *testing.T) {
	w := newWorld(t)
	w.start(t)
	ctx := chromium(t, w)

	if err := chromedp.Do(ctx, chromedp.Navigate(fmt.Sprintf("http://acme.example:%d/welcome", w.http))); err != nil {
		t.Fatal(err)
	}
	title := evaluate(ctx, t, `document.title`)
	protocol := evaluate(ctx, t, `performance.getEntriesByType("navigation")[0].nextHopProtocol`)
	body := evaluate(ctx, t, `location.href + " " + document.body.innerText`)
	if title != "acme" || protocol != "h2" {
		t.Errorf("title %q over %q, want acme over h2", title, protocol)
	}
	for _, word := range []string{w.url("acme.example", "/welcome") + " ", "tenant=acme", "client=" + browser, "proto=https"} {
		if !strings.Contains(body, word) {
			t.Errorf("the page lacks %q: %s", word, body)
		}
	}
}

// chromium starts a browser with a home of its own, in which our root is trusted.
func chromium(t *testing.T, w *world, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	home := t.TempDir()
	db := filepath.Join(home, ".pki", "nssdb")
	if err := os.MkdirAll(db, 0o700); err != nil {
		t.Fatal(err)
	}
	certutil := tool(t, "certutil")
	for _, args := range [][]string{
		{"-d", "sql:" + db, "-N", "--empty-password"},
		{"-d", "sql:" + db, "-A", "-t", "C,,", "-n", "gatehouse test root", "-i", w.rootFile(t)},
	} {
		if got := command(t, "", certutil, args...); got.code != 0 {
			t.Fatalf("certutil %v: %s", args, got.stderr)
		}
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(tool(t, "chromium")),
		chromedp.Env("HOME="+home),
		chromedp.UserDataDir(filepath.Join(home, "profile")),
		chromedp.Flag("host-resolver-rules", "MAP *.example 127.0.0.1"),
		chromedp.NoSandbox, // root and most containers have none, and the only pages it sees are ours
	)
	options = append(options, more...)
	// A cold start of a browser on a busy machine takes most of this.
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}
