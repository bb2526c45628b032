package store

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed blob:
//
//	offset  bytes
//	0       6      "GHSEAL"
//	6       1      version, 1
//	7       8      id of the seal key
//	15      24     nonce, random
//	39      n      the value under XChaCha20-Poly1305
//	39+n    16     its tag
//	55+n    4      CRC-32C of all the above, big endian
//
// The associated data are the first 15 bytes and the store key, so a blob that
// is moved to another key does not open. The nonce is long enough (192 bits)
// to be drawn at random for as many blobs as anybody ever writes.
//
// The checksum protects nothing from an attacker, the tag does. It tells
// accidents apart from another key: only a blob that is whole and carries
// another key's id is foreign; everything else that does not open is damaged.
const (
	sealMagic   = "GHSEAL"
	sealVersion = 1

	sealKeyIDBytes  = 8
	sealHeaderBytes = len(sealMagic) + 1 + sealKeyIDBytes
	sealSumBytes    = 4
	sealExtraBytes  = sealHeaderBytes + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead + sealSumBytes
)

// Labels of the two values derived from the seal key by HKDF-SHA-256
// (RFC 5869). Changing one makes every sealed blob unreadable.
const (
	sealLabelKey = "gatehouse store seal v1: encryption key"
	sealLabelID  = "gatehouse store seal v1: key id"
)

type sealed struct {
	inner  Store
	header []byte // magic, version, key id: equal for all blobs of this key
	aead   cipher.AEAD
}

// Seal returns a Store that encrypts and authenticates every value with key,
// which has KeyBytes bytes, before it reaches inner. Keys stay readable. The
// slice is not kept.
//
// Get of a blob that does not open returns a *DamagedError, or a
// *ForeignError where the blob is whole but another seal key wrote it.
func Seal(inner Store, key []byte) (Store, error) {
	if len(key) != KeyBytes {
		return nil, fmt.Errorf("the seal key has %d bytes, not %d; %s", len(key), KeyBytes, howToMakeKey)
	}
	subkey, err := hkdf.Key(sha256.New, key, nil, sealLabelKey, chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	id, err := hkdf.Key(sha256.New, key, nil, sealLabelID, sealKeyIDBytes)
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	aead, err := chacha20poly1305.NewX(subkey)
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	header := append([]byte(sealMagic), sealVersion)
	return &sealed{inner: inner, header: append(header, id...), aead: aead}, nil
}

// Get implements Store.
func (s *sealed) Get(ctx context.Context, key string) ([]byte, error) {
	blob, err := s.inner.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return s.open(key, blob)
}

// Put implements Store.
func (s *sealed) Put(ctx context.Context, key string, value []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if len(value) > MaxValueBytes {
		return tooLarge(key, len(value), MaxValueBytes)
	}
	return s.inner.Put(ctx, key, s.close(key, value))
}

// Delete implements Store.
func (s *sealed) Delete(ctx context.Context, key string) error { return s.inner.Delete(ctx, key) }

// List implements Store.
func (s *sealed) List(ctx context.Context, prefix string) ([]string, error) {
	return s.inner.List(ctx, prefix)
}

// SetAside implements Store. The blob stays sealed.
func (s *sealed) SetAside(ctx context.Context, key string) (string, error) {
	return s.inner.SetAside(ctx, key)
}

// close returns the sealed blob of value at key.
func (s *sealed) close(key string, value []byte) []byte {
	blob := make([]byte, sealHeaderBytes+chacha20poly1305.NonceSizeX, len(value)+sealExtraBytes)
	copy(blob, s.header)
	nonce := blob[sealHeaderBytes:]
	rand.Read(nonce)
	blob = s.aead.Seal(blob, nonce, value, s.associated(key))
	return binary.BigEndian.AppendUint32(blob, sealSum(blob))
}

// open returns the value of a sealed blob found at key.
func (s *sealed) open(key string, blob []byte) ([]byte, error) {
	if len(blob) < len(sealMagic)+1+sealSumBytes || string(blob[:len(sealMagic)]) != sealMagic {
		return nil, &DamagedError{key, "it is not a sealed blob"}
	}
	body, sum := blob[:len(blob)-sealSumBytes], blob[len(blob)-sealSumBytes:]
	if sealSum(body) != binary.BigEndian.Uint32(sum) {
		return nil, &DamagedError{key, "its checksum does not match, bytes were lost or altered"}
	}
	if version := body[len(sealMagic)]; version != sealVersion {
		return nil, &ForeignError{key, fmt.Sprintf("it has seal version %d, this program knows %d; a newer one wrote it", version, sealVersion)}
	}
	if len(blob) < sealExtraBytes {
		return nil, &DamagedError{key, "it is too short for a sealed blob"}
	}
	if !bytes.Equal(body[:sealHeaderBytes], s.header) {
		return nil, &ForeignError{key, "it was sealed with another key; start with the seal key that the state was written with"}
	}
	nonce := body[sealHeaderBytes:][:chacha20poly1305.NonceSizeX]
	value, err := s.aead.Open(nil, nonce, body[sealHeaderBytes+len(nonce):], s.associated(key))
	if err != nil {
		return nil, &DamagedError{key, "the seal does not open, it was altered or moved here from another key"}
	}
	return value, nil
}

// associated returns the associated data of key. The header has a fixed
// length, so no two pairs of header and key run together.
func (s *sealed) associated(key string) []byte {
	return append(bytes.Clone(s.header), key...)
}

func sealSum(blob []byte) uint32 {
	return crc32.Checksum(blob, crc32.MakeTable(crc32.Castagnoli))
}
