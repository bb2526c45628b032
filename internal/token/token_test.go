package token

import (
	"bytes"
	"strings"
	"testing"
)

func testKey(fill byte) Key {
	var k Key
	for i := range k {
		k[i] = fill
	}
	return k
}

func TestToken(t *testing.T) {
	master := testKey(1)
	key := master.For("acme", "canary")
	again := master.For("acme", "canary")
	other, purpose := master.For("globex", "canary"), master.For("acme", "sticky")
	text := key.Append(nil, []byte("value"), 1000)
	for _, test := range []struct {
		what string
		key  Key
		text []byte
		now  int64
		want bool
	}{
		{"as given", key, text, 999, true},
		{"under the key of another process", again, text, 0, true},
		{"too late", key, text, 1000, false},
		{"of another tenant", other, text, 999, false},
		{"for another purpose", purpose, text, 999, false},
		{"cut", key, text[:len(text)-1], 999, false},
		{"longer", key, append(bytes.Clone(text), 'A'), 999, false},
		{"with a line end", key, append(bytes.Clone(text), '\n'), 999, false},
		{"empty", key, nil, 999, false},
		{"no base64", key, []byte("ä="), 999, false},
		{"overlong", key, []byte(strings.Repeat("A", 10_000)), 999, false},
	} {
		var room [ValueBytesMax]byte
		value, until, ok := test.key.Read(&room, test.text, test.now)
		if ok != test.want || ok && (string(value) != "value" || until != 1000) {
			t.Errorf("%s: %q until %d, %t; want %t", test.what, value, until, ok, test.want)
		}
	}
}

// Every bit counts.
func TestTokenIsSigned(t *testing.T) {
	key := testKey(2)
	text := key.Append(nil, []byte{7}, 1<<40)
	var room [ValueBytesMax]byte
	for i := range text {
		for bit := range 7 {
			forged := bytes.Clone(text)
			forged[i] ^= 1 << bit
			if _, _, ok := key.Read(&room, forged, 0); ok {
				t.Errorf("byte %d, bit %d: a forged token is taken", i, bit)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	key := testKey(3)
	f.Add(key.Append(nil, []byte("v"), 99))
	f.Add([]byte("AAAA"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		var room [ValueBytesMax]byte
		value, until, ok := key.Read(&room, text, 0)
		if ok && !bytes.Equal(key.Append(nil, value, until), text) {
			t.Errorf("%q is taken, and is not how it is written", text)
		}
	})
}
