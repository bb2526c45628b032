package compress

import "testing"

func TestFits(t *testing.T) {
	const html = "Content-Type: text/html; charset=utf-8"
	for _, test := range []struct {
		name   string
		status int
		length int64
		fields []string
		want   bool
	}{
		{"a page", 200, 5000, []string{html}, true},
		{"of unknown length", 200, -1, []string{html}, true},
		{"an error page", 404, 5000, []string{html}, true},
		{"tiny", 200, 1023, []string{html}, false},
		{"empty", 200, 0, []string{html}, false},
		{"without a type", 200, 5000, nil, false},
		{"no content", 204, -1, []string{html}, false},
		{"reset content", 205, -1, []string{html}, false},
		{"a part", 206, 5000, []string{html, "Content-Range: bytes 0-4999/9000"}, false},
		{"not modified", 304, -1, []string{html}, false},
		{"out of range", 416, 5000, []string{html, "Content-Range: bytes */9000"}, false},
		{"compressed", 200, 5000, []string{html, "Content-Encoding: gzip"}, false},
		{"identity, as somebody wrote", 200, 5000, []string{html, "content-encoding: identity"}, false},
		{"not to be changed", 200, 5000, []string{html, "Cache-Control: public, No-Transform"}, false},
		{"private", 200, 5000, []string{html, "Cache-Control: private"}, true},
		{"with cookies", 200, 5000, []string{html, "Set-Cookie: a=b"}, true},
		{"a digest", 200, 5000, []string{html, "Content-Digest: sha-256=:AAAA:"}, false},
		{"a digest of the representation", 200, 5000, []string{"Repr-Digest: sha-256=:AAAA:", html}, false},
		{"an old digest", 200, 5000, []string{html, "Digest: sha-256=AAAA"}, false},
		{"an older one", 200, 5000, []string{html, "Content-MD5: AAAA"}, false},
		{"signed", 200, 5000, []string{html, "Signature-Input: sig=()"}, false},
		{"trailers", 200, -1, []string{html, "Trailer: Server-Timing"}, false},
		{"a picture", 200, 5000, []string{"Content-Type: image/png"}, false},
		{"a drawing", 200, 5000, []string{"Content-Type: image/svg+xml"}, true},
		{"upper case", 200, 5000, []string{"CONTENT-TYPE: Application/JSON"}, true},
		{"a suffix", 200, 5000, []string{"Content-Type: application/vnd.api+json"}, true},
		{"a suffix alone", 200, 5000, []string{"Content-Type: +json"}, false},
		{"events", 200, -1, []string{"Content-Type: text/event-stream"}, false},
		{"events with a parameter", 200, -1, []string{"Content-Type: text/event-stream ;charset=utf-8"}, false},
		{"gRPC", 200, -1, []string{"Content-Type: application/grpc"}, false},
		{"gRPC in JSON", 200, -1, []string{"Content-Type: application/grpc+json"}, false},
		{"gRPC for browsers", 200, -1, []string{"Content-Type: application/grpc-web-text"}, false},
	} {
		if got := all().Fits(test.status, head(test.fields...), test.length); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestLike(t *testing.T) {
	wider := all()
	if got := all().Like(wider); got != wider {
		t.Error("rules that say the same are kept twice")
	}
	for _, other := range []*Rules{
		{codings: []Coding{Gzip}, types: builtinTypes, min: minBuiltin},
		{codings: wider.codings, types: builtinTypes, min: 5000},
		{codings: wider.codings, types: newTypes([]string{"text/html"}), min: minBuiltin},
	} {
		if other.Like(wider) == wider || other.Key() == wider.Key() {
			t.Errorf("%q passes for %q", other.Key(), wider.Key())
		}
	}
	if (*Rules)(nil).Like(wider) != nil || (*Rules)(nil).Key() != "" || all().Like(nil) == nil {
		t.Error("none and some are not told apart")
	}
}

func FuzzFits(f *testing.F) {
	f.Add("text/html; charset=utf-8", "max-age=0, no-transform")
	f.Add("APPLICATION/x+JSON", "")
	f.Fuzz(func(t *testing.T, kind, control string) {
		fields := head("Content-Type: "+kind, "Cache-Control: "+control, "")
		if all().Fits(200, fields, -1) && (kind == "" || len(kind) < len("+xml")) {
			t.Errorf("%q is a type", kind)
		}
	})
}
