package acme

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"gatehouse/internal/acme/acmetest"
	"gatehouse/internal/store"
)

// strictAuthority is the authority that demands bound accounts and refuses
// every second nonce.
func (w *world) strictAuthority(t *testing.T, eab *binding) *authority {
	t.Helper()
	strict := w.theStrict(t)
	a := authorityAt(t, strict.Directory, strict.Root)
	a.eab = eab
	a.ID = accountID(a)
	return a
}

func TestBinding(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	right, err := base64.RawURLEncoding.DecodeString(bindingKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		eab  *binding
		kind string // of the problem; empty: a certificate
	}{
		"right":   {&binding{"kid-1", right}, ""},
		"missing": {nil, "externalAccountRequired"},
		"unknown": {&binding{"kid-9", right}, "unauthorized"},
		"wrong":   {&binding{"kid-1", []byte("another key")}, "unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := w.settingsFor(w.strictAuthority(t, c.eab))
			e := w.startEngine(t, store.NewMem(), s)
			_, err := e.obtain(t.Context(), ask(s, "bound-"+name+".hosted.example"))
			for tries := 0; tries < 2 && isBadNonce(err); tries++ { // ten in a row: it happens, and the next attempt goes on
				_, err = e.obtain(t.Context(), ask(s, "bound-"+name+".hosted.example"))
			}
			if c.kind != "" {
				p := wantProblem(t, err, causeAccount, c.kind)
				if !p.elsewhere() {
					t.Error("no other authority would be tried")
				}
			} else if err != nil {
				t.Errorf("with half of all nonces refused: %v", err)
			}
		})
	}
}

func isBadNonce(err error) bool {
	var p *problem
	return errors.As(err, &p) && p.Type == "badNonce"
}

func TestWrongEmail(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	a := authorityAt(t, w.ca.Directory, w.ca.Root)
	a.email = "no address"
	s := w.settingsFor(a)
	mem := store.NewMem()
	_, err := w.startEngine(t, mem, s).obtain(t.Context(), ask(s, "email.hosted.example"))
	p := wantProblem(t, err, causeAccount, "invalidContact")
	if p.Detail == "" {
		t.Error("the authority's words are lost")
	}
	// Once it is mended, the account is made with the key that is there.
	a = authorityAt(t, w.ca.Directory, w.ca.Root)
	s = w.settingsFor(a)
	mustObtain(t, w.startEngine(t, mem, s), ask(s, "email.hosted.example"))
}

// TestChangedEmail: the authority is told, and one that refuses stops nothing.
func TestChangedEmail(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	s := w.settingsFor(authorityAt(t, w.ca.Directory, w.ca.Root))
	mem := store.NewMem()
	e := w.startEngine(t, mem, s)
	if _, err := e.register(t.Context(), e.client(s.authorities[0])); err != nil {
		t.Fatal(err)
	}
	for email, want := range map[string]string{"new@host.example": "new@host.example", "no address": "new@host.example"} {
		a := *s.authorities[0]
		a.email = email
		changed := w.settingsFor(&a)
		e.configure(changed)
		mustObtain(t, e, ask(changed, "changed.hosted.example"))
		if got := accountIn(t, mem, &a).Email; got != want && email != "no address" {
			t.Errorf("the account has %q, want %q", got, want)
		}
	}
}

// accountIn reads an account from the store.
func accountIn(t *testing.T, s store.Store, a *authority) *account {
	t.Helper()
	blob, err := s.Get(t.Context(), accountPrefix+a.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := new(account)
	if err := json.Unmarshal(blob, got); err != nil {
		t.Fatal(err)
	}
	return got
}

// TestAccountLost: the authority has forgotten the account, as a test authority
// does at each start. It is registered again with its key.
func TestAccountLost(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	s := w.settingsFor(authorityAt(t, w.ca.Directory, w.ca.Root))
	ca := s.authorities[0]
	mem := store.NewMem()
	e := w.startEngine(t, mem, s)
	if _, err := e.register(t.Context(), e.client(ca)); err != nil {
		t.Fatal(err)
	}
	before := accountIn(t, mem, ca)
	lost := *before
	lost.URL = before.URL + "0"
	if err := e.keepAccount(t.Context(), ca, &lost); err != nil {
		t.Fatal(err)
	}
	mustObtain(t, w.startEngine(t, mem, s), ask(s, "lost.hosted.example"))
	after := accountIn(t, mem, ca)
	if after.URL != before.URL || string(after.Key) != string(before.Key) {
		t.Errorf("the account is %s, want %s again, with its key", after.URL, before.URL)
	}
}

func TestRollOver(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	s := w.settingsFor(authorityAt(t, w.ca.Directory, w.ca.Root))
	ca := s.authorities[0]
	mem := store.NewMem()
	e := w.startEngine(t, mem, s)
	mustObtain(t, e, ask(s, "roll-1.hosted.example"))
	before := accountIn(t, mem, ca)
	if err := e.rollKey(t.Context(), ca); err != nil {
		t.Fatal(err)
	}
	after := accountIn(t, mem, ca)
	if string(after.Key) == string(before.Key) || after.URL != before.URL || after.Next != nil || after.Rolled.IsZero() {
		t.Errorf("rolled over to %s from %s, rolled at %s", after.URL, before.URL, after.Rolled)
	}
	mustObtain(t, e, ask(s, "roll-2.hosted.example"))
	mustObtain(t, w.startEngine(t, mem, s), ask(s, "roll-3.hosted.example"))
	status, err := e.accounts(t.Context())
	if err != nil || len(status) != 1 || status[0].Key != fingerprint(after.Key) || status[0].URL != after.URL || status[0].RollingTo != "" {
		t.Errorf("accounts: %+v, %v", status, err)
	}
}

// TestRollOverKilled cuts a roll-over off at each change of the store and
// around the request itself. The account works afterwards, with one of the keys.
func TestRollOverKilled(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	for name, c := range map[string]struct {
		left  int  // changes of the store until the process dies; 0: it does not
		after bool // whether the last one takes effect
		drop  bool // whether the request is lost
	}{
		"before anything":       {left: 1},
		"both keys stored":      {left: 1, after: true},
		"before the end":        {left: 2},
		"after the end":         {left: 2, after: true},
		"request not delivered": {drop: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, s := w.behindProxy(t)
			ca := s.authorities[0]
			mem := store.NewMem()
			mustObtain(t, w.startEngine(t, mem, s), ask(s, "rolling.hosted.example"))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			dying := &dying{Store: mem, kill: cancel, after: c.after, left: c.left}
			if c.left == 0 {
				dying.left = 1 << 30
			}
			if c.drop {
				proxy.Intercept(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) bool {
					if r.URL.Path == acmetest.KeyChange {
						panic(http.ErrAbortHandler)
					}
					return false
				})
			}
			if err := w.startEngine(t, dying, s).rollKey(ctx, ca); err == nil {
				t.Error("a roll-over that was cut off is said to be done")
			}
			proxy.Intercept(nil)
			mustObtain(t, w.startEngine(t, mem, s), ask(s, "rolled.hosted.example"))
			if a := accountIn(t, mem, ca); a.Next != nil {
				t.Error("the account still has two keys")
			}
		})
	}
}

// TestAccountFull: nothing is sent to an authority before the key is stored.
func TestAccountFull(t *testing.T) {
	t.Parallel()
	w := theWorld(t)
	proxy, s := w.behindProxy(t)
	full := errors.New("no space left on device")
	e := w.startEngine(t, &fullStore{Store: store.NewMem(), err: full}, s)
	_, err := e.obtain(t.Context(), ask(s, "full.hosted.example"))
	if p := wantProblem(t, err, causeHere, ""); !errors.Is(p, full) {
		t.Errorf("%v hides its cause", p)
	}
	if n := proxy.Count(acmetest.NewAccount) + proxy.Orders(); n != 0 {
		t.Errorf("%d accounts and orders were made", n)
	}
}

// fullStore is a store that takes nothing.
type fullStore struct {
	store.Store
	err error
}

func (f *fullStore) Put(context.Context, string, []byte) error { return f.err }
