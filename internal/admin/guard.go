package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// wrap puts the guard before next: address, method, Host, origin, token.
func (g Guard) wrap(next http.Handler) http.Handler {
	return admitted(g.Admits, readOnly(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !hostIsOurs(r.Host, g.Host):
			http.Error(w, "Host names another machine", http.StatusMisdirectedRequest)
		case crossSite(r):
			http.Error(w, "not for web pages", http.StatusForbidden)
		case !g.tokenFits(r):
			w.Header().Set("WWW-Authenticate", `Bearer realm="gatehouse"`)
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})))
}

// tokenFits compares digests, so that neither content nor length of the token
// shows in the time it takes.
func (g Guard) tokenFits(r *http.Request) bool {
	if g.Token == "" {
		return true
	}
	sent, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	want, got := sha256.Sum256([]byte(g.Token)), sha256.Sum256([]byte(sent))
	return ok && subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

// crossSite reports whether a browser says that the page of another site asks.
func crossSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return r.Header.Get("Origin") != "" && r.Header.Get("Sec-Fetch-Site") == ""
	}
	return true
}

// readOnly answers 405 to whatever could be meant to change something.
func readOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "read-only; commands go through the socket", http.StatusMethodNotAllowed)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// screened is a listener that closes the connections of addresses that admits
// does not admit, before they take one of the few that a door has.
type screened struct {
	net.Listener
	admits func(netip.Addr) bool // nil admits all
}

// Accept returns the next connection of an address that may connect.
func (s screened) Accept() (net.Conn, error) {
	for {
		c, err := s.Listener.Accept()
		if err != nil || s.admits == nil {
			return c, err
		}
		if admitsPeer(s.admits, c.RemoteAddr().String()) {
			return c, nil
		}
		_ = c.Close() // nothing was said on it
	}
}

// admitted is the same for the requests of connections that are open still: the
// list may have changed, or a block have come, since they were last judged. nil
// admits all.
func admitted(admits func(netip.Addr) bool, next http.Handler) http.Handler {
	if admits == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !admitsPeer(admits, r.RemoteAddr) {
			w.Header().Set("Connection", "close")
			http.Error(w, "not for this address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
