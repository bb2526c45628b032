package compress

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestVary(t *testing.T) {
	for _, test := range []struct{ fields, want []string }{
		{nil, []string{"Vary: Accept-Encoding"}},
		{[]string{"vary: Cookie"}, []string{"vary: Cookie, Accept-Encoding"}},
		{[]string{"Vary: Cookie", "Server: x", "Vary: Origin"}, []string{"Vary: Cookie", "Server: x", "Vary: Origin, Accept-Encoding"}},
		{[]string{"Vary: *"}, []string{"Vary: *"}},
		{[]string{"Vary: Cookie, ACCEPT-encoding"}, []string{"Vary: Cookie, ACCEPT-encoding"}},
		{[]string{"Vary: "}, []string{"Vary: ", "Vary: Accept-Encoding"}},
	} {
		fields, _ := Vary(head(test.fields...), nil)
		if diff := cmp.Diff(test.want, written(fields)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.fields, diff)
		}
	}
}

func TestRewrite(t *testing.T) {
	for _, test := range []struct{ tag, want string }{
		{`"abc"`, `W/"abc"`},
		{`W/"abc"`, `W/"abc"`},
		{`abc`, `abc`},
		{``, ``},
	} {
		fields, _ := Brotli.Rewrite(head("ETag: "+test.tag, "content-length: 5", "Accept-Ranges: bytes", "Server: x"), nil)
		want := []string{"ETag: " + test.want, "Server: x", "Content-Encoding: br"}
		if diff := cmp.Diff(want, written(fields)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestNotModified(t *testing.T) {
	for _, test := range []struct{ answer, request, want []string }{
		{[]string{`ETag: "a"`}, []string{`If-None-Match: W/"a"`}, []string{`ETag: W/"a"`, "Vary: Accept-Encoding"}},
		{[]string{`ETag: "a"`}, []string{`If-None-Match: "b", W/"a"`}, []string{`ETag: W/"a"`, "Vary: Accept-Encoding"}},
		{[]string{`ETag: "a"`}, []string{`If-None-Match: W/"ab", "a"`}, []string{`ETag: "a"`, "Vary: Accept-Encoding"}},
		{[]string{`ETag: "a"`}, []string{"If-Modified-Since: x"}, []string{`ETag: "a"`, "Vary: Accept-Encoding"}},
		{[]string{`ETag: W/"a"`}, []string{`If-None-Match: W/"a"`}, []string{`ETag: W/"a"`, "Vary: Accept-Encoding"}},
		{[]string{`ETag: "a"`, "Content-Type: image/png"}, []string{`If-None-Match: W/"a"`}, []string{`ETag: "a"`, "Content-Type: image/png"}},
		{[]string{`ETag: "a"`, "Content-Encoding: gzip"}, []string{`If-None-Match: W/"a"`}, []string{`ETag: "a"`, "Content-Encoding: gzip"}},
	} {
		fields, _ := all().NotModified(head(test.answer...), head(test.request...), nil)
		if diff := cmp.Diff(test.want, written(fields)); diff != "" {
			t.Errorf("%q to %q (-want +got):\n%s", test.answer, test.request, diff)
		}
	}
}
