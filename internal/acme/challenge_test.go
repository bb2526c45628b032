package acme

import (
	"crypto/tls"
	"sync"
	"testing"
)

func TestChallengeAnswers(t *testing.T) {
	c := new(challenges)
	if _, ok := c.http01("a.example", "t"); ok || c.tlsALPN01("a.example") != nil {
		t.Fatal("something is pending from the start")
	}
	withdraw := c.presentHTTP("a.example", "t", "t.thumbprint")
	other := c.presentHTTP("b.example", "u", "u.thumbprint")
	if text, ok := c.http01("a.example", "t"); !ok || text != "t.thumbprint" {
		t.Errorf("got %q, %t", text, ok)
	}
	for _, wrong := range [][2]string{{"b.example", "t"}, {"a.example", "u"}, {"a.example", ""}} {
		if text, ok := c.http01(wrong[0], wrong[1]); ok {
			t.Errorf("%s of %s is answered with %q", wrong[1], wrong[0], text)
		}
	}
	withdraw()
	withdraw()
	if _, ok := c.http01("a.example", "t"); ok {
		t.Error("a withdrawn answer is given")
	}
	if _, ok := c.http01("b.example", "u"); !ok {
		t.Error("another answer went with it")
	}
	other()
	if c.http.Load() != nil {
		t.Error("something is left")
	}
	certificate := new(tls.Certificate)
	gone := c.presentALPN("a.example", certificate)
	if c.tlsALPN01("a.example") != certificate || c.tlsALPN01("b.example") != nil {
		t.Error("tls-alpn-01 is answered wrongly")
	}
	gone()
	if c.tlsALPN01("a.example") != nil || c.alpn.Load() != nil {
		t.Error("something is left")
	}
}

// TestChallengeAnswersAtOnce is for the race detector.
func TestChallengeAnswersAtOnce(t *testing.T) {
	c := new(challenges)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			token := string(rune('a' + i))
			for range 100 {
				withdraw := c.presentHTTP("a.example", token, token)
				if text, ok := c.http01("a.example", token); !ok || text != token {
					t.Errorf("%s is answered with %q, %t", token, text, ok)
				}
				withdraw()
			}
		})
	}
	all.Wait()
	if c.http.Load() != nil {
		t.Error("something is left")
	}
}

// TestNothingPending: what every plain request and every handshake pays.
func TestNothingPending(t *testing.T) {
	c := new(challenges)
	if n := testing.AllocsPerRun(100, func() {
		c.http01("a.example", "t")
		c.tlsALPN01("a.example")
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
