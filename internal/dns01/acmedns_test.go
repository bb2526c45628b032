package dns01

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// acmeDNSServer is the interface of acme-dns: an account with two texts.
type acmeDNSServer struct {
	mu    sync.Mutex
	texts []string // the last two
}

func (a *acmeDNSServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct{ Subdomain, TXT string }
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case r.Method != http.MethodPost || r.URL.Path != "/update":
		http.NotFound(w, r)
	case err != nil || len(in.TXT) != 43:
		http.Error(w, `{"error": "bad_txt"}`, http.StatusBadRequest)
	case r.Header.Get("X-Api-User") != "u" || r.Header.Get("X-Api-Key") != "correct-horse" || in.Subdomain != "d420":
		http.Error(w, `{"error": "forbidden"}`, http.StatusUnauthorized)
	default:
		a.mu.Lock()
		defer a.mu.Unlock()
		a.texts = append(a.texts, in.TXT)
		a.texts = a.texts[max(0, len(a.texts)-2):]
		_ = json.NewEncoder(w).Encode(map[string]string{"txt": in.TXT})
	}
}

func registered(t *testing.T, handler http.HandlerFunc) *Provider {
	s, files := httpsServer(t, handler)
	ps := mustCompile(t, `p: {zones: [auth.example], acme_dns: {server: "`+s.URL+`/", root: root.pem, username: u, password: {file: word}, subdomain: d420}}`, files)
	ps.List()[0].writer.(*acmeDNS).caller.pause = soon
	return ps.List()[0]
}

// text is a value as dns-01 has it.
func text(c string) string { return strings.Repeat(c, textBytes) }

func TestACMEDNS(t *testing.T) {
	server := new(acmeDNSServer)
	p := registered(t, server.ServeHTTP)
	if diff := cmp.Diff([]string{"d420.auth.example"}, p.Zones()); diff != "" {
		t.Error(diff)
	}
	for _, c := range []string{"a", "b"} {
		if _, err := p.AppendRecords(t.Context(), "auth.example.", txt("d420", text(c))); err != nil {
			t.Fatal(err)
		}
	}
	// A third one would push out the first, which is waited for.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.AppendRecords(ctx, "auth.example.", txt("d420", text("c"))); err == nil || !strings.Contains(err.Error(), "other orders use them") {
		t.Errorf("a third text: %v", err)
	}
	for range 2 {
		if _, err := p.DeleteRecords(t.Context(), "auth.example.", txt("d420", text("a"))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.AppendRecords(t.Context(), "auth.example.", txt("d420", text("c"))); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{text("b"), text("c")}, server.texts); diff != "" {
		t.Error(diff)
	}
	p.writer.(*acmeDNS).slots.free(text("b"))
	p.writer.(*acmeDNS).slots.free(text("c"))
}

func TestACMEDNSRefuses(t *testing.T) {
	tests := []struct {
		title, name, value string
		edit               func(*acmeDNS)
		handler            http.HandlerFunc
		want               string
	}{
		{title: "another name", name: "x.d420", value: text("a"), want: "the account writes d420.auth.example. alone"},
		{title: "another text", name: "d420", value: "short", want: "its text has 5 bytes; acme-dns takes 43"},
		{title: "wrong password", name: "d420", value: text("a"), edit: func(a *acmeDNS) { a.caller.header.Set("X-Api-Key", "guess") }, want: `the answer is 401: "{\"error\": \"forbidden\"}"`},
		{title: "another server", name: "d420", value: text("a"), handler: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, want: `the answer "<html>" does not confirm the text; expected acme-dns`},
		{title: "another text confirmed", name: "d420", value: text("a"), handler: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"txt": "b"}`)) }, want: "does not confirm"},
		{title: "broken", name: "d420", value: text("a"), handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, want: "the answer is 500"},
	}
	for _, tt := range tests {
		t.Run(tt.title, func(t *testing.T) {
			handler := tt.handler
			if handler == nil {
				handler = new(acmeDNSServer).ServeHTTP
			}
			p := registered(t, handler)
			if tt.edit != nil {
				tt.edit(p.writer.(*acmeDNS))
			}
			_, err := p.AppendRecords(t.Context(), "auth.example.", txt(tt.name, tt.value))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %q", err, tt.want)
			}
			if n := len(p.writer.(*acmeDNS).slots.places); n != slotsMost {
				t.Errorf("%d places are free after a failure", n)
			}
		})
	}
}

// A text that nobody takes back gives its place to others in the end.
func TestSlotsAreLeased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots()
		for _, value := range []string{"a", "b", "a"} {
			if err := s.take(t.Context(), value); err != nil {
				t.Fatal(err)
			}
		}
		begun := time.Now()
		if err := s.take(t.Context(), "c"); err == nil || time.Since(begun) != slotWaitMax {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		time.Sleep(slotLife - slotWaitMax - time.Minute)
		if err := s.take(t.Context(), "c"); err != nil || time.Since(begun) != slotLife {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
		s.free("a") // long gone
		s.free("c")
		time.Sleep(slotLife)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.places) != slotsMost || len(s.held) != 0 {
			t.Errorf("%d places are free, %d held", len(s.places), len(s.held))
		}
	})
}
