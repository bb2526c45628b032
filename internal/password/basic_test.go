package password

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

func basic(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

func TestParseBasic(t *testing.T) {
	for _, test := range []struct {
		value, name, password string
		ok                    bool
	}{
		{basic("ops:secret"), "ops", "secret", true},
		{"basic" + basic("ops:secret")[5:], "ops", "secret", true},
		{"BASIC  " + basic("ops:secret")[6:], "ops", "secret", true},
		{basic("ops:"), "ops", "", true},
		{basic("ops:a:b"), "ops", "a:b", true},
		{basic("jos\u00e9:gr\u00fc\u00df"), "jos\u00e9", "gr\u00fc\u00df", true},
		{basic(":secret"), "", "", false},
		{basic("ops"), "", "", false},
		{basic("ops:a\x00b"), "", "", false},
		{basic("o\nps:ab"), "", "", false},
		{basic(strings.Repeat("x", NameBytesMax) + ":" + strings.Repeat("y", BytesMax)), strings.Repeat("x", NameBytesMax), strings.Repeat("y", BytesMax), true},
		{basic(strings.Repeat("x", NameBytesMax+1) + ":y"), "", "", false},
		{basic("x:" + strings.Repeat("y", BytesMax+1)), "", "", false},
		{basic(strings.Repeat("x:", 100_000)), "", "", false},
		{"Basic", "", "", false},
		{"Basic ", "", "", false},
		{"Basic b3B", "", "", false},
		{"Basic b3Bz OnM=", "", "", false},
		{"Bearer abc", "", "", false},
		{"", "", "", false},
	} {
		c, ok := ParseBasic([]byte(test.value), new(Room))
		if ok != test.ok || string(c.Name) != test.name || string(c.Password) != test.password {
			t.Errorf("%.60q is %q, %q, %v; want %q, %q, %v", test.value, c.Name, c.Password, ok, test.name, test.password, test.ok)
		}
	}
}

func FuzzParseBasic(f *testing.F) {
	f.Add([]byte(basic("ops:secret")))
	f.Add([]byte(basic(":")))
	f.Add([]byte("Basic ===="))
	f.Fuzz(func(t *testing.T, value []byte) {
		c, ok := ParseBasic(value, new(Room))
		if !ok {
			return
		}
		again, ok := ParseBasic([]byte(basic(string(c.Name)+":"+string(c.Password))), new(Room))
		if !ok || !bytes.Equal(again.Name, c.Name) || !bytes.Equal(again.Password, c.Password) {
			t.Fatalf("%q is %q and %q, and then %q and %q", value, c.Name, c.Password, again.Name, again.Password)
		}
	})
}
