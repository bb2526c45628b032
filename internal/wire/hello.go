package wire

import (
	"bytes"

	"golang.org/x/crypto/cryptobyte"
)

// HelloBytesMax is the longest first message of a TLS handshake that it is worth
// to look into. Those of browsers have 2 KiB.
const HelloBytesMax = 4096

// What a record, its message, an extension and a name are called (RFC 8446
// sections 4, 4.2 and 5.1, RFC 6066 section 3).
const (
	recordHead       = 5 // bytes
	recordHandshake  = 22
	messageHello     = 1
	extensionName    = 0
	extensionProtos  = 16 // RFC 7301 section 3.1
	nameTypeHostName = 0
)

// Hello is what the first message of a TLS handshake says about where it wants to
// go. Its fields point into what was parsed.
type Hello struct {
	// Name is the server name (SNI), as it was sent; empty for none.
	Name []byte
	// Protos are the protocols above TLS (ALPN), each behind its length.
	Protos []byte
}

// Offers reports whether the client offers a protocol.
func (h *Hello) Offers(proto string) bool {
	list := cryptobyte.String(h.Protos)
	for !list.Empty() {
		var p cryptobyte.String
		if !list.ReadUint8LengthPrefixed(&p) {
			return false
		}
		if bytes.Equal(p, []byte(proto)) {
			return true
		}
	}
	return false
}

// PeekHello looks into what a client has sent first. more says that the message
// goes on behind buf. ok is false as long as it does, and for whatever is not a
// ClientHello in one record: nothing is refused here, that is for TLS to do, which
// is to read the same bytes again.
func PeekHello(buf []byte) (h Hello, more, ok bool) {
	record := cryptobyte.String(buf)
	var kind, message uint8
	var version, length uint16
	if len(buf) < recordHead {
		return h, len(buf) == 0 || buf[0] == recordHandshake, false
	}
	if !record.ReadUint8(&kind) || kind != recordHandshake || !record.ReadUint16(&version) || version>>8 != 3 ||
		!record.ReadUint16(&length) || int(length) > HelloBytesMax-recordHead {
		return h, false, false
	}
	if len(record) < int(length) {
		return h, true, false
	}
	record = record[:length]
	var hello cryptobyte.String
	if !record.ReadUint8(&message) || message != messageHello || !record.ReadUint24LengthPrefixed(&hello) || !record.Empty() {
		return h, false, false
	}
	return h, false, h.read(hello)
}

// read reads a ClientHello (RFC 8446 section 4.1.2).
func (h *Hello) read(hello cryptobyte.String) (ok bool) {
	var session, suites, compressions, extensions cryptobyte.String
	if !hello.Skip(2+32) || !hello.ReadUint8LengthPrefixed(&session) || !hello.ReadUint16LengthPrefixed(&suites) ||
		!hello.ReadUint8LengthPrefixed(&compressions) {
		return false
	}
	if hello.Empty() {
		return true // TLS 1.2 knows hellos without extensions
	}
	if !hello.ReadUint16LengthPrefixed(&extensions) || !hello.Empty() {
		return false
	}
	for !extensions.Empty() {
		var kind uint16
		var body cryptobyte.String
		if !extensions.ReadUint16(&kind) || !extensions.ReadUint16LengthPrefixed(&body) {
			return false
		}
		switch kind {
		case extensionName:
			ok = h.Name == nil && h.readName(body)
		case extensionProtos:
			var protos cryptobyte.String
			ok = h.Protos == nil && body.ReadUint16LengthPrefixed(&protos) && body.Empty()
			h.Protos = protos
		default:
			ok = true
		}
		if !ok {
			return false
		}
	}
	return true
}

// readName reads the one name that there may be (RFC 6066 section 3).
func (h *Hello) readName(body cryptobyte.String) bool {
	var list, name cryptobyte.String
	var kind uint8
	if !body.ReadUint16LengthPrefixed(&list) || !body.Empty() ||
		!list.ReadUint8(&kind) || kind != nameTypeHostName || !list.ReadUint16LengthPrefixed(&name) || !list.Empty() {
		return false
	}
	h.Name = name
	return len(name) > 0
}
