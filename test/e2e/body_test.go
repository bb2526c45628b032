package e2e

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestLargeBodies: what goes through comes out the same, in both directions and over both protocols.
func TestLargeBodies(t *testing.T) {
	w := newWorld(t)
	mirror := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body) // Go's server drops the rest of a body once the answer has begun
		_, _ = w.Write(text)
	}))
	t.Cleanup(mirror.Close)
	w.write(t, "tenants/acme.yaml", acmeText(mirror.URL))
	w.start(t)
	sent := make([]byte, 5<<20)
	_, _ = rand.Read(sent)
	for _, c := range []*http.Client{w.client(t, clientOfAcme), w.client(t, clientOfAcme, "h2")} {
		for _, size := range []int{1, 64 << 10, 64<<10 + 1, len(sent)} {
			for _, body := range []io.Reader{bytes.NewReader(sent[:size]), io.MultiReader(bytes.NewReader(sent[:size]))} {
				answer, err := c.Post(w.url("acme.example", "/"), "application/octet-stream", body)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if err != nil || !bytes.Equal(got, sent[:size]) {
					t.Errorf("%s, %d bytes: %d came back, %v", answer.Proto, size, len(got), err)
				}
			}
		}
	}
}

// TestEarlyAnswers: an answer in the middle of an upload reaches its client whole, over both protocols.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	newTransfers(t).expectEarlyAnswers(t)
}

func (x *transfers) expectEarlyAnswers(t *testing.T) {
	t.Helper()
	for _, c := range []*http.Client{x.client(t, clientOfAcme), x.client(t, clientOfAcme, "h2")} {
		for _, body := range []io.Reader{bytes.NewReader(make([]byte, 16<<20)), io.MultiReader(bytes.NewReader(make([]byte, 16<<20)))} {
			answer, err := c.Post(x.url("acme.example", "/refuse"), "application/octet-stream", body)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if err != nil || answer.StatusCode != http.StatusRequestEntityTooLarge || string(got) != "too much for me\n" {
				t.Errorf("%s: %s %q, %v, want 413, too much for me", answer.Proto, answer.Status, got, err)
			}
		}
	}
}
