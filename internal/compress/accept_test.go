package compress

import (
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	for _, test := range []struct {
		accept string
		want   Coding
	}{
		{"gzip, deflate, br, zstd", Zstd},
		{"gzip, deflate, br", Brotli},
		{"gzip", Gzip},
		{"GZIP", Gzip},
		{"x-gzip", Gzip},
		{"deflate", Identity},
		{"", Identity},
		{"identity", Identity},
		{"*", Zstd},
		{"zstd;q=0, *", Brotli},
		{"*;q=0", Identity},
		{"gzip;q=0.5, *;q=0", Gzip},
		{"gzip;q=1.0, zstd;q=0.9", Gzip},
		{"gzip;q=0.001, br;q=0.002", Brotli},
		{"zstd; q=0.5 , gzip ;q=0.8", Gzip},
		{"br;q=0", Identity},
		{"br;q=0.000", Identity},
		{"br;q=0, br", Identity},
		{"identity;q=0", Identity},
		{"identity;q=1, gzip;q=0.1", Gzip},
		{"zstd;q=2", Identity},
		{"zstd;q=1.001", Identity},
		{"zstd;q=", Identity},
		{"zstd;q=0.0001", Identity},
		{"zstd;level=1", Identity},
		{"zstd;q=-1", Identity},
		{"gz ip", Identity},
		{",,gzip,", Gzip},
		{strings.Repeat("x,", elementsMax) + "gzip", Identity},
	} {
		if got := all().Choose(head("Host: a.example", "Accept-Encoding: "+test.accept), false); got != test.want {
			t.Errorf("%q: %v, want %v", test.accept, got, test.want)
		}
	}
	gzip := &Rules{codings: []Coding{Gzip}, types: builtinTypes}
	if got := gzip.Choose(head("Accept-Encoding: br, gzip"), false); got != Gzip {
		t.Errorf("of rules with gzip alone: %v", got)
	}
	for _, fields := range [][]string{
		{"Accept: text/html"},
		{"Accept-Encoding: gzip", "Range: bytes=0-1"},
		{"Cache-Control: no-transform", "Accept-Encoding: gzip"},
		{"Accept-Encoding: gzip", "Cookie: a=b", "Sec-Fetch-Site: cross-site"},
	} {
		if got := all().Choose(head(fields...), false); got != Identity {
			t.Errorf("%q: %v, want nothing", fields, got)
		}
	}
	if got := all().Choose(head("Accept-Encoding: gzip", "Accept-Encoding: br"), false); got != Brotli {
		t.Errorf("of two fields: %v, want br", got)
	}
}

func TestProbes(t *testing.T) {
	for _, test := range []struct {
		fields []string
		want   bool
	}{
		{nil, false},
		{[]string{"Authorization: Bearer x"}, false},
		{[]string{"Cookie: a=b"}, true},
		{[]string{"Cookie: a=b", "Sec-Fetch-Site: same-origin"}, false},
		{[]string{"Cookie: a=b", "Sec-Fetch-Site: none"}, false},
		{[]string{"Cookie: a=b", "Sec-Fetch-Site: same-site"}, true},
		{[]string{"Sec-Fetch-Site: cross-site", "Cookie: a=b"}, true},
		{[]string{"Cookie: a=b", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"}, true},
		{[]string{"Cookie: a=b", "Sec-Fetch-Site: whatever"}, true},
		{[]string{"Authorization: Basic x", "Sec-Fetch-Site: cross-site"}, true},
		{[]string{"Authorization: Basic x", "Sec-Fetch-Site: same-origin"}, false},
		{[]string{"Sec-Fetch-Site: cross-site"}, false},
	} {
		if got := Probes(head(test.fields...), false); got != test.want {
			t.Errorf("%q: %v, want %v", test.fields, got, test.want)
		}
	}
	for site, want := range map[string]bool{"cross-site": true, "same-site": true, "same-origin": false, "none": false} {
		if got := Probes(head("Sec-Fetch-Site: "+site), true); got != want {
			t.Errorf("%s, of users who are known by their address: %v, want %v", site, got, want)
		}
	}
	if Probes(head("Accept: */*"), true) {
		t.Error("a program is suspected")
	}
}

func FuzzChoose(f *testing.F) {
	f.Add("gzip;q=0.5, br;q=1.000, *;q=0")
	f.Add(",;q,=;q=.,")
	f.Fuzz(func(t *testing.T, accept string) {
		c := all().Choose(head("Accept-Encoding: "+accept), false)
		lower := strings.ToLower(accept)
		if c != Identity && !strings.Contains(lower, c.String()) && !strings.Contains(accept, "*") {
			t.Errorf("%q gets %v", accept, c)
		}
	})
}

func TestChooseDoesNotAllocate(t *testing.T) {
	r, request, answer := all(), head("Accept-Encoding: gzip, deflate, br, zstd", "Cookie: a=b", "Sec-Fetch-Site: same-origin"), head("Content-Type: Text/HTML")
	if n := testing.AllocsPerRun(100, func() {
		if !r.Fits(200, answer, -1) || r.Choose(request, false) != Zstd {
			t.Fatal("it does not fit")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkChoose(b *testing.B) {
	r := all()
	request := head("Host: a.example", "User-Agent: Mozilla/5.0", "Accept: text/html", "Accept-Language: en", "Accept-Encoding: gzip, deflate, br, zstd", "Cookie: a=b", "Sec-Fetch-Site: same-origin")
	answer := head("Server: x", "Date: y", "Content-Type: text/html; charset=utf-8", "ETag: \"abc\"", "Cache-Control: private")
	b.ReportAllocs()
	for b.Loop() {
		if !r.Fits(200, answer, -1) || r.Choose(request, false) != Zstd {
			b.Fatal("it does not fit")
		}
	}
}
