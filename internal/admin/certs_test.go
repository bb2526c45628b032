package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// record notes what the house was asked to do.
type record struct{ said []string }

func (r *record) note(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

// recordingHouse says what it is asked for; a host below .bad is refused.
func recordingHouse(r *record) House {
	on := func(what string) func(context.Context, string, string) error {
		return func(_ context.Context, host, actor string) error {
			if strings.HasSuffix(host, ".bad") {
				return fmt.Errorf("%q is no host", host)
			}
			r.note("%s %s by %s", what, host, actor)
			return nil
		}
	}
	h := sampleHouse(nil)
	h.Certificates = Certificates{
		List: func() []CertificateStatus {
			return []CertificateStatus{
				{Names: []string{"a.example"}, State: "valid", Tenant: "a"},
				{Names: []string{"b.example"}, State: "failed", Tenant: "a"},
				{Names: []string{"c.example"}, State: "failed", Tenant: "c"},
			}
		},
		Renew: on("renew"), RollKey: on("roll"),
		Import: func(ctx context.Context, host string, pair Pair, actor string) error {
			return on(fmt.Sprintf("import %s %s", pair.Chain, pair.Key))(ctx, host, actor)
		},
		Export: func(ctx context.Context, host string, withKey bool, actor string) (Pair, error) {
			return Pair{Chain: []byte("chain")}, on(fmt.Sprintf("export %v", withKey))(ctx, host, actor)
		},
		Revoke: func(ctx context.Context, host string, reason int, actor string) error {
			return on(fmt.Sprintf("revoke %d", reason))(ctx, host, actor)
		},
		Preflight: func(_ context.Context, host string) (PreflightReport, error) {
			return PreflightReport{Host: host, Fine: true}, nil
		},
		Budgets:  func() []BudgetStatus { return []BudgetStatus{{CA: "letsencrypt", Left: 3}} },
		Accounts: func(context.Context) ([]AccountStatus, error) { return []AccountStatus{{CA: "letsencrypt"}}, nil },
	}
	return h
}

// onSocket serves a house on a socket until the test ends.
func onSocket(t *testing.T, h House) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := ListenSocket(path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	serving(t, func(ctx context.Context) error { return New(h, quiet()).ServeSocket(ctx, l) })
	return NewClient(path)
}

func TestCertificateCommands(t *testing.T) {
	var r record
	c, ctx := onSocket(t, recordingHouse(&r)), t.Context()
	for _, err := range []error{
		c.RenewCertificate(ctx, "*.a.example"),
		c.ImportCertificate(ctx, "a.example", Pair{[]byte("chain"), []byte("key")}),
		c.RevokeCertificate(ctx, "a.example", 4),
		c.RollAccountKey(ctx, "https://ca.example/dir?a=b"),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	pair, err := c.ExportCertificate(ctx, "a.example", true)
	if err != nil || string(pair.Chain) != "chain" {
		t.Errorf("export: %q, %v", pair.Chain, err)
	}
	actor := caller(os.Getuid()).String()
	want := []string{
		"renew *.a.example by " + actor, "import chain key a.example by " + actor, "revoke 4 a.example by " + actor,
		"roll https://ca.example/dir?a=b by " + actor, "export true a.example by " + actor,
	}
	if fmt.Sprint(r.said) != fmt.Sprint(want) {
		t.Errorf("done: %q, want %q", r.said, want)
	}
	if err := c.RenewCertificate(ctx, "x.bad"); err == nil || err.Error() != `"x.bad" is no host` {
		t.Errorf("a refusal: %v, want the house's words", err)
	}
	large := Pair{Chain: bytes.Repeat([]byte("x"), pairBytesMax)}
	if err := c.ImportCertificate(ctx, "a.example", large); err == nil {
		t.Error("a certificate of a megabyte is taken")
	}
	if report, err := c.Preflight(ctx, "a.example"); err != nil || report.Host != "a.example" || !report.Fine {
		t.Errorf("preflight: %+v, %v", report, err)
	}
	if list, err := c.Budgets(ctx); err != nil || len(list) != 1 || list[0].Left != 3 {
		t.Errorf("budgets: %+v, %v", list, err)
	}
	if list, err := c.Accounts(ctx); err != nil || len(list) != 1 {
		t.Errorf("accounts: %+v, %v", list, err)
	}
}

func TestCertificatesAreFiltered(t *testing.T) {
	c := onSocket(t, recordingHouse(new(record)))
	for _, test := range []struct{ state, tenant, want string }{
		{"", "", "[[a.example] [b.example] [c.example]]"},
		{"failed", "", "[[b.example] [c.example]]"},
		{"", "a", "[[a.example] [b.example]]"},
		{"failed", "a", "[[b.example]]"},
		{"parked", "", "[]"},
	} {
		list, err := c.Certificates(t.Context(), test.state, test.tenant)
		names := [][]string{}
		for _, one := range list {
			names = append(names, one.Names)
		}
		if err != nil || list == nil || fmt.Sprint(names) != test.want {
			t.Errorf("state %q, tenant %q: %v, %v; want %s", test.state, test.tenant, names, err, test.want)
		}
	}
}

// TestChangesTakePOST: nothing is changed by a link that somebody follows, and
// nothing at all over TCP.
func TestChangesTakePOST(t *testing.T) {
	c := onSocket(t, recordingHouse(new(record)))
	admin := httpOn(t, recordingHouse(new(record)))
	for _, path := range []string{"/v1/certs/renew", "/v1/certs/import", "/v1/certs/export", "/v1/certs/revoke", "/v1/acme/roll-key", "/v1/acme/preflight", "/v1/keys/rotate"} {
		response, err := c.http.Get("http://localhost" + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET %s = %d", path, response.StatusCode)
		}
		for method, want := range map[string]int{http.MethodGet: 404, http.MethodPost: 405} {
			request, err := http.NewRequestWithContext(t.Context(), method, admin+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := http.DefaultTransport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("%s %s over TCP = %d, want %d", method, path, response.StatusCode, want)
			}
		}
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// httpOn serves a house on the admin listener until the test ends, and returns
// its URL.
func httpOn(t *testing.T, h House) string {
	t.Helper()
	l := listenLoopback(t)
	serving(t, func(ctx context.Context) error { return New(h, quiet()).ServeAdmin(ctx, l, Guard{}) })
	return "http://" + l.Addr().String()
}

func TestKeysCommands(t *testing.T) {
	release := make(chan struct{})
	h := sampleHouse(nil)
	h.Keys = KeyRing{
		Status: func(context.Context) (KeysStatus, error) { return KeysStatus{Protection: "sealed", Blobs: 3}, nil },
		Rotate: func(_ context.Context, actor string) (KeysRotated, error) {
			<-release
			return KeysRotated{ID: "1f", Source: actor, Sealed: 3}, nil
		},
		Progress: func() *KeysProgress { return &KeysProgress{Done: 1, Blobs: 3} },
	}
	c := onSocket(t, h)
	if status, err := c.Keys(t.Context()); err != nil || status.Blobs != 3 {
		t.Errorf("keys: %+v, %v", status, err)
	}
	said := 0
	done, err := c.RotateKeys(t.Context(), func(now KeysProgress) {
		if said++; said == 1 {
			close(release)
		}
		if now != (KeysProgress{1, 3}) {
			t.Errorf("progress %+v", now)
		}
	})
	if err != nil || done.Sealed != 3 || done.Source != caller(os.Getuid()).String() || said == 0 {
		t.Errorf("rotate: %+v, %v after %d lines", done, err, said)
	}
}

func TestRotationThatFails(t *testing.T) {
	h := sampleHouse(nil)
	h.Keys = KeyRing{
		Rotate: func(context.Context, string) (KeysRotated, error) {
			return KeysRotated{}, errors.New("no space left on device")
		},
		Progress: func() *KeysProgress { return nil },
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := onSocket(t, h).RotateKeys(ctx, func(KeysProgress) {}); err == nil || err.Error() != "no space left on device" {
		t.Errorf("rotate: %v, want the house's words", err)
	}
}

func TestStatesThatNeedSomebody(t *testing.T) {
	needs := 0
	for _, state := range CertificateStates() {
		if (CertificateStatus{State: state}).NeedsSomebody() {
			needs++
		}
	}
	if needs != 7 {
		t.Errorf("%d states need somebody, want 7", needs)
	}
}
