package tenancy

import (
	"strings"
	"testing"
)

// FuzzRewrite: whatever path is taken, the one that a backend is asked for is no
// more ambiguous, and begins with one slash.
func FuzzRewrite(f *testing.F) {
	for _, path := range []string{"/api", "/api/", "/api/x/y", "/%61pi/%2fx", "/api//x", "/api/\\x", "/API/x", "/api/%5c", "/api/;x"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		rules := pathRules{encodedSlash: true, doubleSlash: true, backslash: true}
		if !strings.HasPrefix(path, "/") || rules.ambiguity([]byte(path)) != "" {
			return
		}
		for _, w := range []*rewriting{{strips: true, slashes: 1, public: "/api"}, {prefix: "/v2", slashes: 1, public: "/api"}, {whole: "/x", slashes: 1}} {
			r := &Route{match: "/api", rewrite: w}
			s := &site{routes: []*Route{r}, reach: len(r.match) + 1}
			if s.find([]byte(path)) != r || w.ambiguous([]byte(path)) {
				continue
			}
			got := string(r.AppendPath(nil, []byte(path)))
			if why := rules.ambiguity([]byte(got)); why != "" || !strings.HasPrefix(got, "/") ||
				len(got) > 1 && w.whole == "" && w.prefix == "" && strings.ContainsAny(got[1:2], `/\`) {
				t.Errorf("%q becomes %q: %s", path, got, why)
			}
		}
	})
}

// FuzzRedirect: where a request is led is where it was written to lead, whatever
// a client asks for.
func FuzzRedirect(f *testing.F) {
	for _, target := range []string{"/", "/old", "/old/x?y", "//evil.example/", "/old//evil.example", "/old/@evil.example?x", "/%6fld/\\evil"} {
		f.Add(target)
	}
	table := &Table{publicPort: httpsPort}
	h := &Host{name: "a.example"}
	f.Fuzz(func(t *testing.T, target string) {
		if !strings.HasPrefix(target, "/") {
			return
		}
		for _, to := range []string{"https://new.example", "/", "/new/", "https://new.example/x"} {
			for _, match := range []string{"", "/old"} {
				spec := new(RedirectSpec)
				spec.To.V = to
				v := Verdict{Host: h, Route: &Route{redirect: spec.compile(match)}}
				got := string(table.AppendRedirect(nil, v, []byte("a.example"), []byte(target)))
				want := "https://a.example/"
				if strings.HasPrefix(to, "https:") {
					want = "https://new.example/"
				}
				if !strings.HasPrefix(got, want) {
					t.Errorf("%q to %q leads to %q", target, to, got)
				}
			}
		}
	})
}
