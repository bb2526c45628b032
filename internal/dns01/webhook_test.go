package dns01

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func calling(t *testing.T, handler http.HandlerFunc) *Provider {
	s, files := httpsServer(t, handler)
	ps := mustCompile(t, `p: {zones: [acme.example], webhook: {url: "`+s.URL+`/dns", token: {file: word}, root: root.pem}}`, files)
	w := ps.List()[0].writer.(*webhook)
	w.caller.pause = soon
	w.caller.client.Timeout = 2 * time.Second
	return ps.List()[0]
}

func TestWebhook(t *testing.T) {
	var calls []string
	p := calling(t, func(w http.ResponseWriter, r *http.Request) {
		var call webhookCall
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&call); err != nil {
			t.Error(err)
		}
		calls = append(calls, fmt.Sprintf("%s %s %s %s %+v", r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), call))
		w.WriteHeader(http.StatusNoContent)
	})
	if _, err := p.AppendRecords(t.Context(), "acme.example.", txt("_acme-challenge.pa", "v")); err != nil {
		t.Fatal(err)
	}
	if _, err := p.DeleteRecords(t.Context(), "acme.example.", txt("_acme-challenge.pa", "v")); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"POST /dns Bearer correct-horse application/json {Action:present Name:_acme-challenge.pa.acme.example. Zone:acme.example. Value:v TTL:60}",
		"POST /dns Bearer correct-horse application/json {Action:cleanup Name:_acme-challenge.pa.acme.example. Zone:acme.example. Value:v TTL:60}",
	}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
}

func TestWebhookFails(t *testing.T) {
	tests := []struct {
		title   string
		handler http.HandlerFunc
		calls   int
		want    string
	}{
		{"wrong token", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "no access with "+r.Header.Get("Authorization"), http.StatusUnauthorized)
		}, 1, `the answer is 401: "no access with Bearer [redacted]"`},
		{"broken", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "oops", http.StatusBadGateway) }, attemptsMost, `the answer is 502: "oops"`},
		{"busy", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, attemptsMost, "the answer is 429"},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://other.example/", http.StatusTemporaryRedirect)
		}, 1, "the answer is 307"},
		{"garbage", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte("\x1b[2J\x00" + strings.Repeat("x", 100_000)))
		}, 1, "the answer is 400"},
		{"cut off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("x"))
		}, attemptsMost, "unexpected EOF"},
		{"no HTTP", func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = c.Write([]byte("nonsense\r\n"))
				_ = c.Close()
			}
		}, attemptsMost, "malformed HTTP response"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			var calls atomic.Int32
			p := calling(t, func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				tt.handler(w, r)
			})
			_, err := p.AppendRecords(t.Context(), "acme.example.", txt("x", "v"))
			if err == nil || !strings.Contains(err.Error(), tt.want) || int(calls.Load()) != tt.calls {
				t.Errorf("%v after %d calls; want %q after %d", err, calls.Load(), tt.want, tt.calls)
			}
			if text := err.Error(); len(text) > 500 || strings.ContainsAny(text, "\x1b\x00\n") || strings.Contains(text, "correct-horse") {
				t.Errorf("unfit for a log: %q", text)
			}
		})
	}
}

func TestWebhookRecovers(t *testing.T) {
	var calls atomic.Int32
	p := calling(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) < attemptsMost {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	if _, err := p.AppendRecords(t.Context(), "acme.example.", txt("x", "v")); err != nil {
		t.Error(err)
	}
}

func TestWebhookSlow(t *testing.T) {
	// Until the test has ended: one that returned when its client leaves would send
	// an answer, which may still arrive before the client has closed its socket.
	p := calling(t, func(http.ResponseWriter, *http.Request) { <-t.Context().Done() })
	p.writer.(*webhook).caller.client.Timeout = 50 * time.Millisecond
	if _, err := p.AppendRecords(t.Context(), "acme.example.", txt("x", "v")); err == nil || !strings.Contains(err.Error(), "no answer in time") {
		t.Errorf("got %v", err)
	}
}

func TestWebhookOfAStranger(t *testing.T) {
	s, _ := httpsServer(t, func(http.ResponseWriter, *http.Request) { t.Error("a stranger was told the token") })
	ps := mustCompile(t, `p: {zones: [acme.example], webhook: {url: "`+s.URL+`", token: {file: word}}}`, nil)
	ps.List()[0].writer.(*webhook).caller.pause = soon
	if _, err := ps.List()[0].AppendRecords(t.Context(), "acme.example.", txt("x", "v")); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v", err)
	}
}
