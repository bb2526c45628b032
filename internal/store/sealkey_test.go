package store_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/store"
)

func TestParseKey(t *testing.T) {
	key := testKey(15)
	hexText := hex.EncodeToString(key)
	endsInNewline := append(testKey(15)[:31], '\n')
	for name, text := range map[string]string{
		"raw":                string(key),
		"raw and newline":    string(key) + "\n",
		"raw and CRLF":       string(key) + "\r\n",
		"hex":                hexText,
		"hex upper case":     strings.ToUpper(hexText) + "\n",
		"hex, spaces around": "  " + hexText + "\r\n\n",
		"base64":             base64.StdEncoding.EncodeToString(key) + "\n",
		"base64 unpadded":    base64.RawStdEncoding.EncodeToString(key),
		"base64 URL":         base64.URLEncoding.EncodeToString(key),
		"base64 URL raw":     base64.RawURLEncoding.EncodeToString(key) + "\n",
	} {
		if got, err := store.ParseKey([]byte(text)); err != nil || !bytes.Equal(got, key) {
			t.Errorf("%s: ParseKey = %x, %v; want %x", name, got, err, key)
		}
	}
	if got, err := store.ParseKey(endsInNewline); err != nil || !bytes.Equal(got, endsInNewline) {
		t.Errorf("raw key that ends in a newline: ParseKey = %x, %v", got, err)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                  "",
		"newline":                  "\n",
		"16 bytes in hex":          strings.Repeat("0a1b", 8),
		"a passphrase of 32":       "correct horse battery staple, 32",
		"a passphrase":             "hunter2hunter2",
		"63 hex digits":            strings.Repeat("a1", 31) + "b",
		"24 bytes in base64":       base64.StdEncoding.EncodeToString(testKey(1)[:24]),
		"48 bytes in base64":       base64.StdEncoding.EncodeToString(append(testKey(1), testKey(2)[:16]...)),
		"zeros":                    strings.Repeat("\x00", 32),
		"zeros in hex":             strings.Repeat("0", 64),
		"not hex in the end":       hex.EncodeToString(testKey(15))[:63] + "g",
		"33 raw bytes":             string(append(testKey(1), 0xff)),
		"a line end inside base64": base64.StdEncoding.EncodeToString(testKey(15))[:20] + "\n" + base64.StdEncoding.EncodeToString(testKey(15))[20:42],
		"two lines of base64":      base64.StdEncoding.EncodeToString(testKey(1)[:16]) + "\n" + base64.StdEncoding.EncodeToString(testKey(1)[:13]),
	} {
		key, err := store.ParseKey([]byte(text))
		if err == nil {
			t.Errorf("%s: ParseKey = %x, want an error", name, key)
			continue
		}
		if !strings.Contains(err.Error(), "openssl rand -hex 32") {
			t.Errorf("%s: %q does not tell how to make a key", name, err)
		}
		if len(text) > 8 && strings.Contains(err.Error(), text[:8]) {
			t.Errorf("%s: %q repeats the text", name, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add([]byte(hex.EncodeToString(testKey(1))))
	f.Add([]byte(base64.URLEncoding.EncodeToString(testKey(15))))
	f.Add(testKey(3))
	f.Fuzz(func(t *testing.T, text []byte) {
		key, err := store.ParseKey(text)
		if (err == nil) != (len(key) == store.KeyBytes) || err != nil && key != nil {
			t.Fatalf("ParseKey(%q) = %x, %v", text, key, err)
		}
	})
}

func TestLoadOrCreateKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seal.key")
	first, created, err := store.LoadOrCreateKey(path)
	if err != nil || !created || len(first) != store.KeyBytes {
		t.Fatalf("first: %x, %v, %v; want a new key", first, created, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	second, created, err := store.LoadOrCreateKey(path)
	if err != nil || created || !bytes.Equal(first, second) {
		t.Errorf("second: %x, %v, %v; want the first one, %x", second, created, err, first)
	}
	other, _, err := store.LoadOrCreateKey(filepath.Join(t.TempDir(), "seal.key"))
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("two states have one key: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("files beside the key: %v", entries)
	}
}

func TestLoadOrCreateKeyLeavesWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "", "short": "abc\n", "huge": strings.Repeat("a", 1<<20)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		key, created, err := store.LoadOrCreateKey(path)
		if err == nil || created || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %x, %v, %v; want an error naming the file", name, key, created, err)
		}
		if after, _ := os.ReadFile(path); string(after) != text {
			t.Errorf("%s: the file was changed", name)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "no", "such", "folder")} {
		if _, created, err := store.LoadOrCreateKey(path); err == nil || created {
			t.Errorf("LoadOrCreateKey(%s) = %v, %v; want an error", path, created, err)
		}
	}
}
