package proxy

import (
	"bytes"
	"encoding/binary"

	"gatehouse/internal/http1"
	"gatehouse/internal/limit"
	"gatehouse/internal/pool"
)

// placement is what keeps requests together where backends are chosen by hash:
// the value of a field or cookie, or the client's address where there is no such
// thing. It does not allocate.
func (ex *exchange) placement(b pool.Balance) uint64 {
	if !b.Hashes() {
		return 0
	}
	if value := ex.placedBy(b); len(value) > 0 {
		return pool.Hash(value)
	}
	var address [8]byte
	binary.BigEndian.PutUint64(address[:], uint64(limit.AddressOf(ex.client)))
	return pool.Hash(address[:])
}

func (ex *exchange) placedBy(b pool.Balance) []byte {
	name := b.Name
	if b.Policy == pool.HashCookie {
		name = "cookie"
	}
	for i := range ex.fields {
		f := &ex.fields[i]
		switch {
		case b.Policy == pool.HashClient || !http1.EqualFold(f.Name, name):
		case b.Policy == pool.HashHeader:
			return f.Value
		default:
			if value, ok := cookieIn(f.Value, b.Name); ok {
				return value
			}
		}
	}
	return nil
}

// cookieIn returns the value of the first cookie of that name in a Cookie field
// (RFC 6265 4.2.1). Names of cookies are compared byte for byte.
func cookieIn(field []byte, name string) (value []byte, ok bool) {
	for len(field) > 0 {
		pair := field
		if end := bytes.IndexByte(field, ';'); end >= 0 {
			pair, field = field[:end], field[end+1:]
		} else {
			field = nil
		}
		pair = bytes.TrimSpace(pair)
		if len(pair) > len(name) && pair[len(name)] == '=' && string(pair[:len(name)]) == name {
			return pair[len(name)+1:], true
		}
	}
	return nil, false
}
