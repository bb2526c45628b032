package store

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
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

// A sealKey is one key, ready to seal and open.
type sealKey struct {
	id     string // hex, as operators see it
	header []byte // magic, version, key id: equal for all blobs of this key
	aead   cipher.AEAD
}

func newSealKey(key []byte) (*sealKey, error) {
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
	return &sealKey{id: hex.EncodeToString(id), header: append(header, id...), aead: aead}, nil
}

// KeyID returns the id of a seal key, in hex: what its blobs name and what
// operators are shown. It tells nothing about the key.
func KeyID(key []byte) (string, error) {
	k, err := newSealKey(key)
	if err != nil {
		return "", err
	}
	return k.id, nil
}

// seal returns the sealed blob of value at key.
func (k *sealKey) seal(key string, value []byte) []byte {
	blob := make([]byte, sealHeaderBytes+chacha20poly1305.NonceSizeX, len(value)+sealExtraBytes)
	copy(blob, k.header)
	nonce := blob[sealHeaderBytes:]
	rand.Read(nonce)
	blob = k.aead.Seal(blob, nonce, value, k.associated(key))
	return binary.BigEndian.AppendUint32(blob, sealSum(blob))
}

// sealedBy returns the header of a blob found at key, which names the seal key
// that opens it, once the blob is known to be whole.
func sealedBy(key string, blob []byte) ([]byte, error) {
	if len(blob) < len(sealMagic)+1+sealSumBytes || string(blob[:len(sealMagic)]) != sealMagic {
		return nil, &DamagedError{key, "it is not a sealed blob"}
	}
	body, sum := blob[:len(blob)-sealSumBytes], blob[len(blob)-sealSumBytes:]
	if sealSum(body) != binary.BigEndian.Uint32(sum) {
		return nil, &DamagedError{key, "its checksum does not match, bytes were lost or altered"}
	}
	if version := body[len(sealMagic)]; version != sealVersion {
		return nil, &ForeignError{Key: key, Why: fmt.Sprintf("it has seal version %d, this program knows %d; a newer one wrote it", version, sealVersion)}
	}
	if len(blob) < sealExtraBytes {
		return nil, &DamagedError{key, "it is too short for a sealed blob"}
	}
	return body[:sealHeaderBytes], nil
}

// open returns the value of a blob that sealedBy took for one of this key.
func (k *sealKey) open(key string, blob []byte) ([]byte, error) {
	body := blob[sealHeaderBytes : len(blob)-sealSumBytes]
	nonce, body := body[:chacha20poly1305.NonceSizeX], body[chacha20poly1305.NonceSizeX:]
	value, err := k.aead.Open(nil, nonce, body, k.associated(key))
	if err != nil {
		return nil, &DamagedError{key, "the seal does not open, it was altered or moved here from another key"}
	}
	return value, nil
}

// associated returns the associated data of key. The header has a fixed
// length, so no two pairs of header and key run together.
func (k *sealKey) associated(key string) []byte {
	return append(bytes.Clone(k.header), key...)
}

func sealSum(blob []byte) uint32 {
	return crc32.Checksum(blob, crc32.MakeTable(crc32.Castagnoli))
}
