package password

import (
	"fmt"
	"strings"
	"testing"
)

func mustParse(t testing.TB, text string) *Hash {
	t.Helper()
	h, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestFindUnknown: a name that does not exist takes the place of one that does,
// always the same, and all of them in turn.
func TestFindUnknown(t *testing.T) {
	hashes := map[string]*Hash{
		"ops":   mustParse(t, bcrypt10),
		"audit": mustParse(t, "$2y$12"+bcrypt10[6:]),
		"third": mustParse(t, "$2y$13"+bcrypt10[6:]),
	}
	u := NewUsers(hashes)
	for name := range hashes {
		if user, known := u.Find([]byte(name)); !known || user.Name != name {
			t.Errorf("%q is %v, %v", name, user, known)
		}
	}
	stands := map[string]int{}
	for i := range 300 {
		name := fmt.Sprint("nobody", i)
		first, known := u.Find([]byte(name))
		again, _ := NewUsers(hashes).Find([]byte(name))
		if known || first.Name != again.Name {
			t.Fatalf("%q is %q and then %q, %v", name, first.Name, again.Name, known)
		}
		stands[first.Name]++
	}
	for name, n := range stands {
		if n < 60 {
			t.Errorf("%q stands for %d of 300, want about 100", name, n)
		}
	}
	if len(stands) != 3 {
		t.Errorf("%v stand for others, want all three", stands)
	}
}

func TestParseFile(t *testing.T) {
	good := "# those of the night shift\n\nops:" + bcrypt10 + "\r\n  audit:$2y$12" + bcrypt10[6:] + "\n"
	u, err := ParseFile([]byte(good))
	if err != nil || fmt.Sprint(u.Names()) != "[audit ops]" {
		t.Fatalf("%v, %v", u, err)
	}
	for _, test := range []struct{ text, want string }{
		{"", "it names no user"},
		{"#\n\n", "it names no user"},
		{good + "ops", "line 5: no colon; expected NAME:HASH"},
		{good + "ops:" + bcrypt10, "line 5: a name that an earlier line has"},
		{":" + bcrypt10, "line 1: the name is empty"},
		{"a\x01b:" + bcrypt10, "line 1: a name with a control character"},
		{strings.Repeat("x", NameBytesMax+1) + ":" + bcrypt10, "line 1: the name has more than 128 bytes"},
		{"ops:hunter2", "line 1: no hash"},
		{"ops:$1$x", "line 1: an MD5 crypt hash"},
	} {
		if _, err := ParseFile([]byte(test.text)); err == nil || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %q", test.text, err, test.want)
		}
	}
	var many strings.Builder
	for i := range UsersMost + 1 {
		fmt.Fprintf(&many, "user%d:%s\n", i, bcrypt10)
	}
	if _, err := ParseFile([]byte(many.String())); err == nil || !strings.Contains(err.Error(), "more than 1000 users") {
		t.Errorf("a thousand and one: %v", err)
	}
}

func TestUsersDigest(t *testing.T) {
	a := NewUsers(map[string]*Hash{"a": mustParse(t, bcrypt10)})
	for name, other := range map[string]*Users{
		"another name": NewUsers(map[string]*Hash{"b": mustParse(t, bcrypt10)}),
		"another hash": NewUsers(map[string]*Hash{"a": mustParse(t, "$2b"+bcrypt10[3:])}),
		"one more":     NewUsers(map[string]*Hash{"a": mustParse(t, bcrypt10), "b": mustParse(t, bcrypt10)}),
	} {
		if other.Digest() == a.Digest() {
			t.Errorf("%s: the digest is the same", name)
		}
	}
	if NewUsers(map[string]*Hash{"a": mustParse(t, bcrypt10)}).Digest() != a.Digest() {
		t.Error("the digest of the same list differs")
	}
}

func FuzzParseFile(f *testing.F) {
	f.Add([]byte("ops:" + bcrypt10 + "\n"))
	f.Add([]byte("a:b:c\n#\n:\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		u, err := ParseFile(text)
		if (u == nil) == (err == nil) {
			t.Fatalf("%q gives %v and %v", text, u, err)
		}
		if u == nil {
			return
		}
		for _, name := range u.Names() {
			if err := CheckName(name); err != nil {
				t.Fatalf("%q: %v", name, err)
			}
		}
	})
}
