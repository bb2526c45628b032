package dnstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"time"

	"github.com/miekg/dns"
)

// key is a TSIG key and the zones that it may change.
type key struct {
	secret []byte
	zones  map[string]bool
}

// AllowUpdates lets whoever holds the TSIG key change the zone. The secret is
// raw bytes. Without a call for a zone, nobody may.
func (s *Server) AllowUpdates(zone, keyName string, secret []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.keys[canonical(keyName)]
	if !ok {
		k = key{secret: secret, zones: map[string]bool{}}
	}
	k.zones[canonical(zone)] = true
	s.keys[canonical(keyName)] = k
}

// EncodeKey returns a secret in the form in which keys are handed around.
func EncodeKey(secret []byte) string { return base64.StdEncoding.EncodeToString(secret) }

// SkewClock sets by how much the server's clock is ahead when it judges
// signatures.
func (s *Server) SkewClock(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew = d
}

// keyring signs and verifies with the keys that the server holds now.
type keyring struct{ s *Server }

func (k keyring) mac(msg []byte, t *dns.TSIG) ([]byte, error) {
	k.s.mu.Lock()
	held, ok := k.s.keys[canonical(t.Hdr.Name)]
	k.s.mu.Unlock()
	if !ok {
		return nil, dns.ErrSecret
	}
	var h func() hash.Hash
	switch dns.CanonicalName(t.Algorithm) {
	case dns.HmacSHA256:
		h = sha256.New
	case dns.HmacSHA384:
		h = sha512.New384
	case dns.HmacSHA512:
		h = sha512.New
	default:
		return nil, dns.ErrKeyAlg
	}
	m := hmac.New(h, held.secret)
	m.Write(msg)
	return m.Sum(nil), nil
}

// Generate implements dns.TsigProvider.
func (k keyring) Generate(msg []byte, t *dns.TSIG) ([]byte, error) { return k.mac(msg, t) }

// Verify implements dns.TsigProvider.
func (k keyring) Verify(msg []byte, t *dns.TSIG) error {
	want, err := k.mac(msg, t)
	if err != nil {
		return err
	}
	got, err := hex.DecodeString(t.MAC)
	if err != nil || !hmac.Equal(want, got) {
		return dns.ErrSig
	}
	k.s.mu.Lock()
	now := time.Now().Add(k.s.skew).Unix()
	k.s.mu.Unlock()
	if d := now - int64(t.TimeSigned); d > int64(t.Fudge) || -d > int64(t.Fudge) {
		return dns.ErrTime
	}
	return nil
}

// update changes a zone (RFC 2136 section 3). Prerequisites are not implemented
// and refused.
func (s *Server) update(m *dns.Msg, signature error) *dns.Msg {
	out := new(dns.Msg).SetReply(m)
	out.Opcode = dns.OpcodeUpdate
	tsig := m.IsTsig()
	if tsig == nil {
		out.Rcode = dns.RcodeRefused
		return out
	}
	if signature != nil {
		return refuseSignature(out, tsig, signature)
	}
	out.SetTsig(tsig.Hdr.Name, tsig.Algorithm, tsig.Fudge, int64(tsig.TimeSigned))
	s.mu.Lock()
	defer s.mu.Unlock()
	name := canonical(m.Question[0].Name)
	z := s.zones[name]
	switch {
	case z == nil:
		out.Rcode = dns.RcodeNotAuth
	case !s.keys[canonical(tsig.Hdr.Name)].zones[name]:
		out.Rcode = dns.RcodeRefused
	case len(m.Answer) > 0:
		out.Rcode = dns.RcodeNotImplemented
	default:
		out.Rcode = z.change(m.Ns)
	}
	return out
}

// refuseSignature answers NOTAUTH, with the reason in a TSIG record. It is
// signed only where the key is known to both (RFC 8945 section 5.2).
func refuseSignature(out *dns.Msg, tsig *dns.TSIG, signature error) *dns.Msg {
	out.Rcode = dns.RcodeNotAuth
	out.SetTsig(tsig.Hdr.Name, tsig.Algorithm, tsig.Fudge, int64(tsig.TimeSigned))
	answer := out.IsTsig()
	switch {
	case errors.Is(signature, dns.ErrSecret), errors.Is(signature, dns.ErrKeyAlg):
		answer.Error = dns.RcodeBadKey
	case errors.Is(signature, dns.ErrTime):
		answer.Error = dns.RcodeBadTime
	default:
		answer.Error = dns.RcodeBadSig
	}
	return out
}

// change applies the update section, or nothing of it.
func (z *zone) change(records []dns.RR) (rcode int) {
	for _, rr := range records {
		if !dns.IsSubDomain(z.name, canonical(rr.Header().Name)) {
			return dns.RcodeNotZone
		}
	}
	for _, rr := range records {
		h := rr.Header()
		name := canonical(h.Name)
		switch h.Class {
		case dns.ClassINET:
			z.add(rr)
		case dns.ClassANY:
			z.drop(name, func(old dns.RR) bool { return h.Rrtype == dns.TypeANY || old.Header().Rrtype == h.Rrtype })
		case dns.ClassNONE:
			gone := dns.Copy(rr)
			gone.Header().Class = dns.ClassINET
			z.drop(name, func(old dns.RR) bool { return dns.IsDuplicate(old, gone) })
		}
	}
	return dns.RcodeSuccess
}
