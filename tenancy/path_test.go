package tenancy

import (
	"strings"
	"testing"
)

func TestAmbiguity(t *testing.T) {
	lax := pathRules{encodedSlash: true, doubleSlash: true, backslash: true}
	guarded := pathRules{protected: true}
	for _, test := range []struct {
		rules pathRules
		path  string
		want  string
	}{
		{pathRules{}, "/", ""},
		{pathRules{}, "/a/b.c/...d/.e/f..", ""},
		{pathRules{}, "/a%20b/%C3%BC/\xc3\xbc", ""},
		{pathRules{}, "/a;b=c/d,e", ""},
		{pathRules{}, "/.", pathDots},
		{pathRules{}, "/..", pathDots},
		{pathRules{}, "/a/./b", pathDots},
		{pathRules{}, "/a/%2e%2e/b", pathDots},
		{pathRules{}, "/a/.%2E", pathDots},
		{pathRules{}, "/a/..;v=1/b", pathDots},
		{pathRules{}, "/a/..%3bv=1/b", pathDots},
		{pathRules{}, "/a/;../b", ""},
		{pathRules{}, "/...", ""},
		{pathRules{}, "/a\x01b", pathControl},
		{pathRules{}, "/a\x7f", pathControl},
		{pathRules{}, "/a b", pathControl},
		{pathRules{}, "/a%00", pathNUL},
		{pathRules{}, "/a#b", pathFragment},
		{pathRules{}, "/a%23b", ""},
		{pathRules{}, "/a%3Fb", ""},
		{pathRules{}, "/%", pathPercent},
		{pathRules{}, "/%4", pathPercent},
		{pathRules{}, "/%4g", pathPercent},
		{pathRules{}, "/%u002e", pathPercent},
		{pathRules{}, "/a%2Fb", pathEncodedSlash},
		{pathRules{}, "//", pathDoubleSlash},
		{pathRules{}, "/a//b", pathDoubleSlash},
		{pathRules{}, `/a\b`, pathBackslash},
		{pathRules{}, "/a%5cb", pathBackslash},
		{pathRules{}, "/%c0%ae%c0%ae/", pathOverlong},
		{pathRules{}, "/\xc0\xaf", pathOverlong},
		{pathRules{}, "/%e0%80%af", pathOverlong},
		{pathRules{}, "/%e0%a0%80/\xe0\xa4\x85", ""},
		{pathRules{}, "/%F0%80%80%AF", pathOverlong},
		{pathRules{}, "/%f8%80%80%80%af", pathOverlong},
		{pathRules{}, "/%fc%80%80%80%80%af", pathOverlong},
		{pathRules{}, "/\xe0%81\xa1", pathOverlong},
		{pathRules{}, "/\xf0\x9f\x98\x80%f0%9f%98%80", ""},
		{pathRules{}, "/\xe0\xa4\x85%80", ""},
		{pathRules{}, "/a%0a\xa0", ""},
		{pathRules{}, "/%C0", ""},
		{pathRules{}, "/%25%32%65", ""},
		{lax, "//a%2fb\\c%5Cd", ""},
		{lax, "/a%2f%2e%2e%5cb", pathDots},
		{lax, `/a\..`, pathDots},
		{lax, "/a%2F.", pathDots},
		{guarded, "/a;b", pathParameter},
		{guarded, "/a%3Bb", pathParameter},
		{guarded, "/%252e", pathDoubleEscape},
		{guarded, "/%25%36%31", pathDoubleEscape},
		{guarded, "/%256%31", pathDoubleEscape},
		{guarded, "/%25%361", pathDoubleEscape},
		{guarded, "/%25%2532", pathDoubleEscape},
		{guarded, "/%25%6z", pathPercent},
		{guarded, "/%25zz", ""},
		{guarded, "/%25%7a1", ""},
		{guarded, "/%256", ""},
		{guarded, "/a%0a", pathControlCode},
		{guarded, "/a%7F", pathControlCode},
		{guarded, "/a\xa0", pathNotUTF8},
		{guarded, "/a\xc3\xbc\x85", pathNotUTF8},
		{guarded, "/\xc3%bc", pathNotUTF8},
		{guarded, "/a%a0%85", ""},
		{guarded, "/\xc3\xbc/\xf0\x9f\x98\x80/%20", ""},
		{guarded, "/100%25", ""},
	} {
		if got := test.rules.ambiguity([]byte(test.path)); got != test.want {
			t.Errorf("%+v.ambiguity(%q) = %q, want %q", test.rules, test.path, got, test.want)
		}
	}
}

func TestComparable(t *testing.T) {
	for _, test := range []struct {
		path string
		fold bool
		want string
	}{
		{"/a/b", false, "/a/b"},
		{"/%61/%2Db", false, "/a/-b"},
		{"/a%2fb%5cc%25d", false, "/a%2Fb%5Cc%25d"},
		{"/%C3%BC", false, "/\xc3\xbc"},
		{"/AbC/%41", true, "/abc/a"},
		{"/B%c3%9cro", true, "/bÜro"},
		{"/büro", true, "/bÜro"},
		{"/\u212aelvin/\u017f", true, "/kelvin/s"}, // KELVIN SIGN, LONG S
		{"/İ%c4%b1", true, "/ii"},
		{"/\xff\xc3/A", true, "/\xff\xc3/a"},
		{"/%e2%84", true, "/\xe2\x84"},
	} {
		var buffer pathBuffer
		if got := string(comparable(&buffer, []byte(test.path), test.fold, prefixBytesMax+1)); got != test.want {
			t.Errorf("comparable(%q, %v) = %q, want %q", test.path, test.fold, got, test.want)
		}
	}
}

// TestComparableFits holds the buffer to its size, whatever a path is made of.
func TestComparableFits(t *testing.T) {
	for _, piece := range []string{"a", "%61", "%2f", "%C3%BC", "\u212a", "%f0%9f%98%80", "\xff"} {
		for _, fold := range []bool{false, true} {
			var buffer pathBuffer
			path := []byte("/" + strings.Repeat(piece, 2*prefixBytesMax))
			got := comparable(&buffer, path, fold, prefixBytesMax+1)
			if len(got) <= prefixBytesMax || len(got) > len(buffer) {
				t.Errorf("comparable of many %q has %d bytes", piece, len(got))
			}
			if n := testing.AllocsPerRun(10, func() { comparable(&buffer, path, fold, prefixBytesMax+1) }); n != 0 {
				t.Errorf("comparable of many %q allocates %v times", piece, n)
			}
		}
	}
}

// FuzzComparable holds the form in which paths are compared to its promises:
// it does not change when it is brought to that form again, and folding does
// not depend on case.
func FuzzComparable(f *testing.F) {
	for _, path := range []string{"/a/b", "/%61%2F%5c%25", "/\u212a%c3%9c", "/\xff%e2%84"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if len(path) > prefixBytesMax/2 || (pathRules{true, true, true, false}).ambiguity([]byte(path)) != "" {
			return
		}
		for _, fold := range []bool{false, true} {
			var first, second pathBuffer
			once := string(comparable(&first, []byte(path), fold, prefixBytesMax+1))
			twice := string(comparable(&second, []byte(once), fold, prefixBytesMax+1))
			if once != twice {
				t.Errorf("comparable(%q, %v) = %q, and again %q", path, fold, once, twice)
			}
		}
	})
}
