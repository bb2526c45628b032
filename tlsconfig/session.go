package tlsconfig

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"strings"
	"time"
)

// ticketMaxAge is how long a session may be resumed after the handshake that
// proved the certificate (TLS 1.2) or after the ticket was issued (TLS 1.3).
// crypto/tls tells clients seven days and cannot be told otherwise; they find
// out by a full handshake.
const ticketMaxAge = 24 * time.Hour

// clockSlack is how far in the future a ticket may have been issued, by another
// node whose clock is ahead.
const clockSlack = time.Minute

// stampMark begins our record among the extra data of a session, and names the
// layout of what follows.
const stampMark = "gatehouse session 1:"

// stamp is what a ticket says about where it may be resumed.
type stamp struct {
	issued  int64             // Unix seconds
	binding [sha256.Size]byte // of tenant, name and profile
}

func (s stamp) append(b []byte) []byte {
	b = append(b, stampMark...)
	b = binary.BigEndian.AppendUint64(b, uint64(s.issued))
	return append(b, s.binding[:]...)
}

// stampOf finds our record among a session's extra data.
func stampOf(extra [][]byte) (s stamp, ok bool) {
	for _, record := range extra {
		rest, ours := bytes.CutPrefix(record, []byte(stampMark))
		if ours && len(rest) == 8+sha256.Size {
			s.issued = int64(binary.BigEndian.Uint64(rest))
			copy(s.binding[:], rest[8:])
			return s, true
		}
	}
	return stamp{}, false
}

// sessions issues and takes back the tickets of one profile.
type sessions struct {
	config  *tls.Config
	profile Profile
	tenant  func(sni string) (string, bool)
	now     func() time.Time
}

// wrap stamps and encrypts a session; see [tls.Config.WrapSession].
func (s sessions) wrap(cs tls.ConnectionState, state *tls.SessionState) ([]byte, error) {
	binding, ok := s.bindingOf(cs)
	if !ok {
		// The name went away during the handshake. Nothing matches a zero
		// binding, so the ticket is of no use.
		binding = [sha256.Size]byte{}
	}
	issued, err := s.issued(cs, state)
	if err != nil {
		return nil, err
	}
	state.Extra = append(state.Extra, stamp{issued, binding}.append(nil))
	return s.config.EncryptTicket(cs, state)
}

// unwrap decrypts a session and returns it if it belongs here and is young
// enough; see [tls.Config.UnwrapSession]. nil makes the handshake a full one.
func (s sessions) unwrap(identity []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	state, err := s.config.DecryptTicket(identity, cs)
	if err != nil || state == nil {
		return nil, err
	}
	stamp, ok := stampOf(state.Extra)
	if !ok {
		return nil, nil
	}
	age := s.now().Sub(time.Unix(stamp.issued, 0))
	if age >= ticketMaxAge || age < -clockSlack {
		return nil, nil
	}
	binding, ok := s.bindingOf(cs)
	if !ok || binding != stamp.binding {
		return nil, nil
	}
	return state, nil
}

// bindingOf names what a session may be resumed with: the same tenant, the same
// name (RFC 6066 section 3) and the same profile.
func (s sessions) bindingOf(cs tls.ConnectionState) (binding [sha256.Size]byte, ok bool) {
	tenant, ok := s.tenant(cs.ServerName)
	if !ok {
		return binding, false
	}
	// Tenant ids and host names hold no NUL, so nothing else reads the same.
	name := strings.ToLower(cs.ServerName)
	return sha256.Sum256([]byte(s.profile.String() + "\x00" + tenant + "\x00" + name)), true
}

// issued returns the time from which the ticket's age counts. TLS 1.2 wraps the
// same master secret again on each resumption: there it is the time of the full
// handshake, or a client that comes daily would keep one secret alive, and what
// it protects readable, far beyond the life of the ticket keys.
func (s sessions) issued(cs tls.ConnectionState, state *tls.SessionState) (int64, error) {
	now := s.now().Unix()
	if cs.Version != tls.VersionTLS12 || !cs.DidResume {
		return now, nil
	}
	encoded, err := state.Bytes()
	if err != nil {
		return 0, err
	}
	return min(now, createdAt(encoded)), nil
}

// createdAt reads the time of a session's full handshake, which crypto/tls keeps
// in a field that it does not export: the encoding begins with version, type and
// cipher suite. What does not begin so counts as expired.
func createdAt(encoded []byte) int64 {
	const offset = 2 + 1 + 2
	if len(encoded) < offset+8 || binary.BigEndian.Uint16(encoded) != tls.VersionTLS12 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(encoded[offset:]))
}
