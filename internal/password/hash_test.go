package password

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
)

// bcrypt10 is a hash of "allmine" by another program, and argonReference one of
// "password" from the tests of the reference implementation of argon2.
const (
	bcrypt10       = "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga"
	argonReference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
)

// TestMatchesOthers: what other programs have made is taken.
func TestMatchesOthers(t *testing.T) {
	for text, password := range map[string]string{
		"$2y" + bcrypt10[3:]: "allmine",
		argonReference:       "password",
	} {
		h, err := Parse(text)
		if err != nil || !h.Matches([]byte(password)) {
			t.Errorf("%s does not match: %v", text, err)
		}
	}
}

// argonText is a hash with these parameters.
func argonText(password string, memory, passes, lanes uint32) string {
	a := argon2id{memory: memory, passes: passes, lanes: lanes, salt: []byte("0123456789abcdef")}
	a.key = argon2.IDKey([]byte(password), a.salt, passes, memory, uint8(lanes), 32)
	return a.String()
}

func TestParse(t *testing.T) {
	argon := argonText("correct horse", 7168, 5, 1)
	salt, key, _ := strings.Cut(strings.TrimPrefix(argon, "$argon2id$v=19$m=7168,t=5,p=1$"), "$")
	with := func(parameters, salt, key string) string {
		return "$argon2id$v=19$" + parameters + "$" + salt + "$" + key
	}
	for _, test := range []struct{ name, text, want string }{
		{"bcrypt 2y", bcrypt10, ""},
		{"bcrypt 2b", "$2b" + bcrypt10[3:], ""},
		{"bcrypt 2a", "$2a" + bcrypt10[3:], ""},
		{"bcrypt 2x", "$2x" + bcrypt10[3:], "a bcrypt hash of a version with a known mistake ($2x$)"},
		{"cheap bcrypt", "$2y$09" + bcrypt10[6:], "a bcrypt hash of cost 9; expected 10 to 14"},
		{"dear bcrypt", "$2y$31" + bcrypt10[6:], "a bcrypt hash of cost 31; expected 10 to 14"},
		{"short bcrypt", bcrypt10[:59], "a malformed bcrypt hash"},
		{"foreign letter", bcrypt10[:59] + "+", "a malformed bcrypt hash"},
		{"argon2id", argon, ""},
		{"argon2id as RFC 9106 has it", with("m=65536,t=3,p=4", salt, key), ""},
		{"too much memory", with("m=65537,t=1,p=1", salt, key), "m=65537; expected 7168 to 65536 KiB"},
		{"far too much memory", with("m=2147483647,t=1,p=1", salt, key), "expected 7168 to 65536 KiB"},
		{"beyond a number", with("m=4294967296,t=1,p=1", salt, key), "a malformed argon2id hash"},
		{"too little memory", with("m=1024,t=100,p=1", salt, key), "expected 7168 to 65536 KiB"},
		{"too many passes", with("m=65536,t=5,p=1", salt, key), "expected t so that m times t"},
		{"too few passes", with("m=7168,t=4,p=1", salt, key), "expected t so that m times t"},
		{"no pass", with("m=7168,t=0,p=1", salt, key), "expected t so that m times t"},
		{"no lane", with("m=19456,t=2,p=0", salt, key), "expected 1 to 4 lanes"},
		{"many lanes", with("m=19456,t=2,p=257", salt, key), "expected 1 to 4 lanes"},
		{"short salt", with("m=19456,t=2,p=1", "AAAA", key), "a salt of 3 bytes; expected 8 to 64"},
		{"short hash", with("m=19456,t=2,p=1", salt, "AAAA"), "a hash of 3 bytes"},
		{"padding", with("m=19456,t=2,p=1", "QUFBQUFBQUE=", key), "a malformed argon2id hash"},
		{"bits that say nothing", with("m=19456,t=2,p=1", "QUFBQUFBQUF", key), "a malformed argon2id hash"},
		{"another order", with("t=2,m=19456,p=1", salt, key), "a malformed argon2id hash"},
		{"a zero before", with("m=019456,t=2,p=1", salt, key), "a malformed argon2id hash"},
		{"a sign", with("m=+19456,t=2,p=1", salt, key), "a malformed argon2id hash"},
		{"more parameters", with("m=19456,t=2,p=1,data=AAAA", salt, key), "a malformed argon2id hash"},
		{"another version", strings.Replace(argon, "v=19", "v=16", 1), "expected v=19"},
		{"no version", strings.Replace(argon, "v=19$", "", 1), "a malformed argon2id hash"},
		{"argon2i", strings.Replace(argon, "argon2id", "argon2i", 1), "an argon2i hash"},
		{"MD5 crypt", "$1$saltsalt$wU8R1aVtj9Q7vQBZ0RtPk1", "an MD5 crypt hash ($1$); expected a bcrypt or argon2id hash"},
		{"Apache", "$apr1$saltsalt$xxxxxxxxxxxxxxxxxxxxxx", "an MD5 hash of Apache's"},
		{"SHA-512", "$6$salt$x", "a SHA-512 crypt hash"},
		{"SHA-1", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "a SHA-1 hash ({SHA})"},
		{"a password", "hunter2hunter2", "no hash; a password itself may not stand there"},
		{"nothing", "", "no hash"},
	} {
		h, err := Parse(test.text)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(test.want, "a hash of 3"))):
			t.Errorf("%s: %v, %v; want %q", test.name, h, err, test.want)
		case err != nil && len(test.text) > 8 && strings.Contains(err.Error(), test.text[len(test.text)-8:]):
			t.Errorf("%s: the text shows in %q", test.name, err)
		}
	}
}

func TestMatches(t *testing.T) {
	argon, err := Argon2id([]byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{argon, argonText("correct horse", 7168, 5, 2)} {
		h, err := Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		for password, want := range map[string]bool{"correct horse": true, "correct hors": false, "correct horse ": false, "": false} {
			if got := h.Matches([]byte(password)); got != want {
				t.Errorf("%s matches %q: %v", text, password, got)
			}
		}
	}
}

// TestLongPassword: bcrypt reads 72 bytes; what has more behind them is not what
// was hashed.
func TestLongPassword(t *testing.T) {
	long := strings.Repeat("x", 72)
	text, err := Bcrypt([]byte(long), BcryptCostLeast)
	if err != nil {
		t.Fatal(err)
	}
	h, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if !h.Matches([]byte(long)) || h.Matches([]byte(long+"y")) {
		t.Error("a password of 72 bytes does not match, or one with more behind them does")
	}
	for _, password := range []string{"", "a\nb", long + "y", strings.Repeat("x", BytesMax+1)} {
		if _, err := Bcrypt([]byte(password), BcryptCostLeast); err == nil {
			t.Errorf("%q is hashed", password)
		}
	}
	if _, err := Argon2id([]byte(long + "y")); err != nil {
		t.Errorf("argon2id: %v", err)
	}
	for _, cost := range []int{BcryptCostLeast - 1, BcryptCostMax + 1} {
		if _, err := Bcrypt([]byte("x"), cost); err == nil {
			t.Errorf("cost %d is taken", cost)
		}
	}
}

func TestHashIsNotPrinted(t *testing.T) {
	h, err := Parse(bcrypt10)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(h), fmt.Sprintf("%+v", h), fmt.Sprintf("%#v", h), h.LogValue().String()} {
		if strings.Contains(text, "Xajj") {
			t.Errorf("the hash is printed: %s", text)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(bcrypt10)
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY")
	f.Add("$argon2id$v=19$m=4294967295,t=4294967295,p=255$$")
	f.Add("$2y$99$")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := Parse(text)
		if (h == nil) == (err == nil) {
			t.Fatalf("%q gives %v and %v", text, h, err)
		}
		if err == nil && h.algorithm == "argon2id" {
			var a argon2id
			parts := strings.Split(text, "$")
			if !a.readParameters(parts[3]) || uint64(a.memory)*uint64(a.passes) > argonWorkMax || a.lanes > argonLanesMax {
				t.Fatalf("%q is beyond its bounds", text)
			}
		}
	})
}
