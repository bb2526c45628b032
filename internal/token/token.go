// Package token signs short values that clients are given to bring back, as a
// cookie does: what comes back is what was given, for the tenant and the purpose
// that it was given for, and not too late.
//
// A token is not encrypted: whoever holds it can read it, so it names nothing
// that is nobody's business. It is an HMAC (RFC 2104) under a key that is derived
// for each tenant and purpose, so that a token of one is worth nothing to another.
package token

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
)

const (
	// KeyBytes is the length of a key.
	KeyBytes = 32
	// ValueBytesMax bounds what a token carries: browsers take 4 KiB for all
	// cookies of a host, and requests carry them all.
	ValueBytesMax = 64

	untilBytes = 8
	// signBytes is half of a SHA-256: RFC 2104 section 5 asks for no less, and
	// whoever guesses has to ask us each time.
	signBytes = sha256.Size / 2
	// textBytesMax is the longest token there is: base64 takes four for three.
	textBytesMax = (untilBytes+ValueBytesMax+signBytes)*4/3 + 3
)

// Key is a secret to sign with. The zero Key is none.
type Key [KeyBytes]byte

// NewKey returns a fresh key.
func NewKey() Key {
	var k Key
	rand.Read(k[:]) // it never returns an error
	return k
}

// IsZero reports whether k is no key.
func (k *Key) IsZero() bool { return *k == Key{} }

// For derives the key of one tenant for one purpose (HKDF, RFC 5869). The same
// names give the same key, others one that tells nothing about it.
func (k *Key) For(tenant, purpose string) Key {
	// Neither has a zero byte: two pairs of names never look alike.
	raw, err := hkdf.Key(sha256.New, k[:], nil, "gatehouse token\x00"+purpose+"\x00"+tenant, KeyBytes)
	if err != nil {
		panic("token: " + err.Error()) // 32 bytes are not too many
	}
	return Key(raw)
}

// Append appends a token of value, which has at most ValueBytesMax bytes, that is
// good until the Unix second until. It consists of letters, digits, - and _.
func (k *Key) Append(b, value []byte, until int64) []byte {
	var room [untilBytes + ValueBytesMax + signBytes]byte
	raw := binary.BigEndian.AppendUint64(room[:0], uint64(until))
	raw = append(raw, value...)
	raw = append(raw, k.sign(raw)...)
	return base64.RawURLEncoding.AppendEncode(b, raw)
}

// Read returns the value of a token and until when it is good, into room, if it
// was signed with k and is good at the Unix second now.
func (k *Key) Read(room *[ValueBytesMax]byte, text []byte, now int64) (value []byte, until int64, ok bool) {
	if len(text) > textBytesMax || bytes.ContainsAny(text, "\r\n") { // which the decoder skips
		return nil, 0, false
	}
	var decoded [untilBytes + ValueBytesMax + signBytes + 3]byte
	raw, err := base64.RawURLEncoding.Strict().AppendDecode(decoded[:0], text)
	end := len(raw) - signBytes
	if err != nil || end < untilBytes || end > untilBytes+ValueBytesMax || !hmac.Equal(raw[end:], k.sign(raw[:end])) {
		return nil, 0, false
	}
	until = int64(binary.BigEndian.Uint64(raw))
	return room[:copy(room[:], raw[untilBytes:end])], until, now < until
}

// Number returns a number that stands for text: the same for the same text, and
// one that tells nothing about it to who has not the key. It is never zero.
func (k *Key) Number(text string) uint64 {
	return max(1, binary.BigEndian.Uint64(k.sign([]byte(text))))
}

func (k *Key) sign(raw []byte) []byte {
	mac := hmac.New(sha256.New, k[:])
	mac.Write(raw)
	return mac.Sum(nil)[:signBytes]
}
