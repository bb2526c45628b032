package password

import (
	"bytes"
	"encoding/base64"
)

// NameBytesMax bounds a user's name: an address of e-mail fits.
const NameBytesMax = 128

// basicBytesMax bounds what follows the scheme: the longest name, a colon and the
// longest password, 641 bytes, in base64.
const basicBytesMax = 856

// Credentials are a name and its password as a client sent them.
type Credentials struct{ Name, Password []byte }

// Room is memory that credentials are read into.
type Room [basicBytesMax]byte

// ParseBasic reads the value of an Authorization field (RFC 7617 section 2);
// false where it is of another scheme, malformed, or longer than any that could
// be right. The credentials lie in room.
func ParseBasic(value []byte, room *Room) (c Credentials, ok bool) {
	const scheme = "basic "
	if len(value) <= len(scheme) || !bytes.EqualFold(value[:len(scheme)], []byte(scheme)) {
		return c, false
	}
	encoded := bytes.Trim(value[len(scheme):], " ")
	if len(encoded) > basicBytesMax {
		return c, false
	}
	n, err := base64.StdEncoding.Strict().Decode(room[:], encoded)
	if err != nil {
		return c, false
	}
	c.Name, c.Password, ok = bytes.Cut(room[:n], []byte{':'})
	if !ok || len(c.Name) == 0 || len(c.Name) > NameBytesMax || len(c.Password) > BytesMax || hasControl(room[:n]) {
		return Credentials{}, false
	}
	return c, true
}
