package proxy

import (
	"crypto/tls"
	"net/http"
	"strings"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/tenancy"
	"gatehouse/tlsconfig"
)

// Challenges knows what proves control of names to a certificate authority that
// is looking right now. Its methods are asked before any access list, of names
// and tokens that anybody may send: they must not wait, and nothing is their
// answer while no proof is pending.
type Challenges interface {
	// HTTP01 returns the key authorization that stands under a token of a host,
	// which is normalised (RFC 8555 section 8.3).
	HTTP01(host, token string) (keyAuthorization string, ok bool)
	// TLSALPN01 returns the certificate that proves control of a normalised
	// name, nil for none (RFC 8737 section 3).
	TLSALPN01(name string) *tls.Certificate
}

// tokenBytesMax bounds a token. They carry 128 bits at least, 22 characters; the
// longest in use have 43.
const tokenBytesMax = 128

// tokenIn returns the token that a path of plain HTTP asks for.
func tokenIn(path []byte) (token string, ok bool) {
	rest, ok := strings.CutPrefix(string(path[:min(len(path), len(tenancy.ChallengePath)+tokenBytesMax+1)]), tenancy.ChallengePath)
	if !ok || rest == "" || len(rest) > tokenBytesMax || strings.ContainsFunc(rest, notBase64URL) {
		return "", false
	}
	return rest, true
}

// notBase64URL reports whether a character is not of RFC 4648 section 5.
func notBase64URL(c rune) bool {
	return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_'
}

// http01 returns the proof that a request over plain HTTP asks for, if one is
// pending. Whose the name is makes no difference: who waits for the proof knows
// it.
func (s *Server) http01(ex *exchange) (proof string, ok bool) {
	if s.options.Challenges == nil || ex.hasQuery {
		return "", false
	}
	if m := string(ex.method); m != http.MethodGet && m != http.MethodHead {
		return "", false
	}
	token, ok := tokenIn(ex.path)
	if !ok {
		return "", false
	}
	var buffer [tenancy.HostBytesMax]byte
	host, ok := tenancy.NormalizeHost(buffer[:0], ex.authority)
	if !ok {
		return "", false
	}
	return s.options.Challenges.HTTP01(string(host), token)
}

// appendProof appends the answer to an HTTP-01 challenge.
func appendProof(b []byte, a *answerPage, proof string) []byte {
	b = http1.AppendStatusLine(b, http.StatusOK)
	b = http1.AppendFieldString(b, "Content-Type", "application/octet-stream")
	b = http1.AppendFieldString(b, "Cache-Control", "no-store")
	b = http1.AppendFieldString(b, "X-Content-Type-Options", "nosniff")
	b = append(b, "Date: "...)
	b = time.Unix(a.unix, 0).UTC().AppendFormat(b, http.TimeFormat)
	b = append(b, "\r\n"...)
	b = appendValue(b, "X-Request-Id", a.ref)
	b = http1.AppendFieldInt(b, "Content-Length", int64(len(proof)))
	if a.close {
		b = append(b, "Connection: close\r\n"...)
	}
	b = http1.AppendFieldsEnd(b)
	if a.head {
		return b
	}
	return append(b, proof...)
}

// looksForProof reports whether a handshake is a TLS-ALPN-01 validation: it
// offers that protocol alone.
func looksForProof(hello *tls.ClientHelloInfo) bool {
	return len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == tlsconfig.ChallengeProto
}

// challengeConfig answers a validation. While no proof is pending every name is
// refused as an unknown one is, so that the protocol tells no hidden host.
func (s *Server) challengeConfig(c *conn, hello *tls.ClientHelloInfo) (*tls.Config, error) {
	c.certificate = s.tlsALPN01(hello.ServerName)
	if c.certificate == nil {
		return s.refuseHello(c, tenancy.UnknownHost)
	}
	if !s.sign(c, "", 1) {
		return nil, errClosed
	}
	return s.policies.Challenge(), nil
}

// tlsALPN01 returns the certificate that proves control of a name as a client
// sent it, nil for none.
func (s *Server) tlsALPN01(sni string) *tls.Certificate {
	if s.options.Challenges == nil || len(sni) > tenancy.HostBytesMax+1 { // a dot may follow
		return nil
	}
	var buffer [tenancy.HostBytesMax]byte
	name, ok := tenancy.NormalizeHost(buffer[:0], []byte(sni))
	if !ok {
		return nil
	}
	return s.options.Challenges.TLSALPN01(string(name))
}

// showedProof ends a connection over which control of a name was proved: nothing
// is said over it (RFC 8737 section 3).
func (s *Server) showedProof(c *conn, t *tls.Conn) {
	c.certificate = nil
	c.peer.counts.Handshake(true)
	s.log.Debug("answered a tls-alpn-01 challenge", "client", s.options.LogClient.show(c.peer.client), "sni", t.ConnectionState().ServerName)
	_ = t.Close()
}
