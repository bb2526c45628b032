package acme

import (
	"crypto/tls"
	"maps"
	"sync"
	"sync/atomic"
)

// challenges holds the answers to pending challenges. Readers neither lock nor
// wait; while nothing is pending they look at one nil pointer.
type challenges struct {
	http atomic.Pointer[map[string]httpAnswer] // by token; nil while none is pending
	alpn atomic.Pointer[map[string]*tls.Certificate]
	mu   sync.Mutex // held by writers
}

// httpAnswer is what a token is answered with, on its host alone.
type httpAnswer struct {
	host, text string
}

// http01 returns the key authorization of a pending token of host (RFC 8555
// section 8.3).
func (c *challenges) http01(host, token string) (string, bool) {
	pending := c.http.Load()
	if pending == nil {
		return "", false
	}
	a, ok := (*pending)[token]
	if !ok || a.host != host {
		return "", false
	}
	return a.text, true
}

// tlsALPN01 returns the certificate that answers for name, or nil (RFC 8737).
func (c *challenges) tlsALPN01(name string) *tls.Certificate {
	pending := c.alpn.Load()
	if pending == nil {
		return nil
	}
	return (*pending)[name]
}

// presentHTTP answers token on host with text until withdraw is called.
func (c *challenges) presentHTTP(host, token, text string) (withdraw func()) {
	put(c, &c.http, token, httpAnswer{host, text})
	return func() { drop(c, &c.http, token) }
}

// presentALPN answers for name with the certificate until withdraw is called.
func (c *challenges) presentALPN(name string, certificate *tls.Certificate) (withdraw func()) {
	put(c, &c.alpn, name, certificate)
	return func() { drop(c, &c.alpn, name) }
}

func put[V any](c *challenges, at *atomic.Pointer[map[string]V], key string, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[string]V{}
	if old := at.Load(); old != nil {
		maps.Copy(next, *old)
	}
	next[key] = value
	at.Store(&next)
}

func drop[V any](c *challenges, at *atomic.Pointer[map[string]V], key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := at.Load()
	if old == nil {
		return
	}
	next := maps.Clone(*old)
	delete(next, key)
	if len(next) == 0 {
		at.Store(nil)
		return
	}
	at.Store(&next)
}
