package acme

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/conf"
	"gatehouse/tlsconfig"
)

// surroundings read secrets and files from a map.
func surroundings(t *testing.T, files map[string]string) Surroundings {
	read := func(path string) ([]byte, error) {
		text, ok := files[path]
		if !ok {
			return nil, errors.New("no such file")
		}
		return []byte(text), nil
	}
	return Surroundings{
		Secret: func(s *conf.Secret) ([]byte, error) { return read(s.File.V) }, File: read,
		Providers: theWorld(t).providers(t, "acme", "dns.example"), HTTP: true, HTTPS: true,
	}
}

func TestCompileSettings(t *testing.T) {
	w := theWorld(t)
	spec := &tlsconfig.ACMESpec{
		Email: written("ops@host.example"),
		AuthoritySpec: tlsconfig.AuthoritySpec{
			CA: written("https://ca.example:14000/dir"), Root: written("ca.pem"), Profile: written("shortlived"),
		},
		Fallback: conf.List[tlsconfig.AuthoritySpec]{Items: []conf.At[tlsconfig.AuthoritySpec]{written(tlsconfig.AuthoritySpec{
			CA: written(tlsconfig.ZeroSSL), EAB: &tlsconfig.EABSpec{KeyID: written("kid"), HMACKey: &conf.Secret{File: written("hmac")}},
		})}},
		Resolvers: writtenList("192.0.2.53:53"),
		Preflight: &tlsconfig.PreflightSpec{Addresses: writtenList("192.0.2.1", "::ffff:192.0.2.2"), LostAfter: written(3)},
	}
	r := new(conf.Report)
	s := CompileSettings(spec, surroundings(t, map[string]string{"ca.pem": string(w.ca.Root), "hmac": " a_-b+/c=\n"}), r)
	if r.Faults() > 0 || s == nil {
		t.Fatal(r.Findings())
	}
	first, second := s.authorities[0], s.authorities[1]
	if first.Directory != "https://ca.example:14000/dir" || first.roots == nil || first.profile(Host{}) != "shortlived" || first.profile(Host{Profile: "own"}) != "own" {
		t.Errorf("the first is %+v", first)
	}
	if second.Directory != "https://acme.zerossl.com/v2/DV90" || second.eab.keyID != "kid" || len(second.eab.key) != 5 || second.roots != nil {
		t.Errorf("the second is %+v", second)
	}
	if first.ID == second.ID || !strings.HasPrefix(first.ID, "ca.example_14000-") {
		t.Errorf("accounts are called %s and %s", first.ID, second.ID)
	}
	if !slices.Equal(s.challenges, []string{"http-01", "tls-alpn-01", "dns-01"}) {
		t.Errorf("challenges %q", s.challenges)
	}
	if p := s.preflight; !p.enabled || p.lostAfter != 3 || !slices.Equal(p.addresses, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}) {
		t.Errorf("preflight %+v", p)
	}
	if o := s.budget.Orders; o.Count != 300 || time.Duration(o.Per) != 3*time.Hour {
		t.Errorf("budget of orders %s", o)
	}
	if again := CompileSettings(spec, surroundings(t, map[string]string{"ca.pem": string(w.ca.Root), "hmac": "a_-b-_c"}), r); !again.authorities[0].same(first) || !again.authorities[1].same(second) {
		t.Error("the same text compiles to other authorities; their connections would be lost at each reload")
	}
	if CompileSettings(nil, Surroundings{}, r) != nil {
		t.Error("no text has settings")
	}
}

func TestCompileFaults(t *testing.T) {
	for name, c := range map[string]struct {
		spec tlsconfig.ACMESpec
		deaf bool // no listeners, no providers
		want string
	}{
		"root missing": {
			tlsconfig.ACMESpec{AuthoritySpec: tlsconfig.AuthoritySpec{CA: written("https://ca.example/"), Root: written("none.pem")}},
			false, `gatehouse.yaml:1:1: root "none.pem" cannot be read: no such file`,
		},
		"root empty": {
			tlsconfig.ACMESpec{AuthoritySpec: tlsconfig.AuthoritySpec{CA: written("https://ca.example/"), Root: written("bad")}},
			false, `gatehouse.yaml:1:1: root "bad" holds no certificate; expected PEM`,
		},
		"key": {
			tlsconfig.ACMESpec{AuthoritySpec: tlsconfig.AuthoritySpec{EAB: &tlsconfig.EABSpec{Pos: conf.Pos{File: "gatehouse.yaml", Line: 1, Col: 1}, HMACKey: &conf.Secret{File: written("bad")}}}},
			false, `gatehouse.yaml:1:1: hmac_key is not base64url; expected the key as the CA has given it out`,
		},
		"deaf": {
			tlsconfig.ACMESpec{Challenges: writtenList("http-01")},
			true, `gatehouse.yaml:1:1: none of challenges "http-01" can be answered here; http-01 needs an http listener, tls-alpn-01 an https listener, dns-01 a provider`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := new(conf.Report)
			in := surroundings(t, map[string]string{"bad": "not what it should be!"})
			if c.deaf {
				in = Surroundings{}
			}
			s := CompileSettings(&c.spec, in, r)
			found := r.Findings()
			if s != nil || len(found) != 1 || !strings.HasPrefix(found[0].String(), c.want) {
				t.Errorf("got %v, want %s", found, c.want)
			}
		})
	}
}
