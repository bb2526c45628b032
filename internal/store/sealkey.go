package store

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// KeyBytes is the length of a seal key.
const KeyBytes = 32

// maxKeyText bounds a key file: the longest spelling has 64 characters, and
// an editor may have added a few line ends.
const maxKeyText = 1 << 10

const howToMakeKey = "a seal key is 32 random bytes, raw, as 64 hex digits or in base64; make one with: openssl rand -hex 32"

// ParseKey returns the seal key that text spells: KeyBytes raw bytes, 64 hex
// digits, or base64 (standard or URL alphabet, padded or not). White space
// around the text forms, and one line end after raw bytes, is ignored.
//
// A passphrase, a key of 16 bytes in hex and a placeholder of one repeated
// byte are refused. No error repeats what it was given.
func ParseKey(text []byte) ([]byte, error) {
	if key, ok := rawKey(text); ok {
		return usableKey(key)
	}
	word := string(bytes.TrimSpace(text))
	if len(word) == hex.EncodedLen(KeyBytes) {
		if key, err := hex.DecodeString(word); err == nil {
			return usableKey(key)
		}
	}
	unpadded := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(word, "="))
	if len(unpadded) == base64.RawStdEncoding.EncodedLen(KeyBytes) {
		// The decoder passes over line ends inside, so count what it made.
		if key, err := base64.RawStdEncoding.DecodeString(unpadded); err == nil && len(key) == KeyBytes {
			return usableKey(key)
		}
	}
	return nil, fmt.Errorf("%d bytes that are not a seal key; %s", len(text), howToMakeKey)
}

// rawKey reports whether text is 32 raw bytes, perhaps with a line end. Bytes
// that are all printable are a passphrase or a shorter key's hex digits, not
// random: chance makes such a key once in 10^13.
func rawKey(text []byte) ([]byte, bool) {
	if len(text) == KeyBytes+1 {
		text = bytes.TrimSuffix(text, []byte("\n"))
	}
	if len(text) == KeyBytes+2 {
		text = bytes.TrimSuffix(text, []byte("\r\n"))
	}
	if len(text) != KeyBytes {
		return nil, false
	}
	printable := func(r rune) bool { return r >= ' ' && r <= '~' || r == '\n' || r == '\r' || r == '\t' }
	if len(bytes.TrimFunc(text, printable)) == 0 {
		return nil, false
	}
	return bytes.Clone(text), true
}

func usableKey(key []byte) ([]byte, error) {
	if bytes.Count(key, key[:1]) == len(key) {
		return nil, errors.New("a seal key of one repeated byte is a placeholder; " + howToMakeKey)
	}
	return key, nil
}

// LoadOrCreateKey returns the seal key in the file at path; where there is
// none it makes one, writes it as hex with mode 0600, durably, and says so by
// created. A file that holds no key is an error and is left alone.
//
// It serves those who configure no seal. The key then lies beside what it
// seals and protects copies of the state alone, not the machine's disk. The
// caller holds the lock of the state, so no two processes create at once.
func LoadOrCreateKey(path string) (key []byte, created bool, err error) {
	key, err = LoadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	key = make([]byte, KeyBytes)
	rand.Read(key)
	if err := writeKey(path, hex.EncodeToString(key)+"\n"); err != nil {
		return nil, false, fmt.Errorf("seal key: %w", err)
	}
	return key, true, nil
}

// LoadKey returns the seal key in the file at path. Where there is none the
// error matches fs.ErrNotExist.
func LoadKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyText))
	if err != nil {
		return nil, fmt.Errorf("seal key: %w", err)
	}
	key, err := ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("seal key %s: %w", path, err)
	}
	return key, nil
}

// writeKey writes a new file whole or not at all: a key that is half written
// when the power goes would lock the state up for good.
func writeKey(path, text string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it has its name
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return MoveKey(f.Name(), path)
}

// MoveKey gives the key file from the name to, durably, in place of a file that
// may be there. Both are in one folder.
func MoveKey(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(to))
}

// RemoveKey removes a key file, durably. One that is not there is nil.
func RemoveKey(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
