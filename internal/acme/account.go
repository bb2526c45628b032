package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	acmeclient "github.com/mholt/acmez/v3/acme"

	"gatehouse/internal/store"
)

// accountPrefix is where accounts lie in the store, by the authority's ID.
const accountPrefix = "acme/accounts/"

// account is one with an authority, as it is stored. Its key is stored before
// the authority hears of it: the same key leads to the same account again (RFC
// 8555 section 7.3.1), so a killed process loses none.
type account struct {
	Directory  string    `json:"directory"`
	URL        string    `json:"url,omitempty"` // empty until the authority has answered
	Orders     string    `json:"orders,omitempty"`
	Email      string    `json:"email"`
	Binding    string    `json:"binding,omitempty"` // key identifier of the external account
	Terms      string    `json:"terms,omitempty"`   // URL of what was agreed to
	Key        []byte    `json:"key"`               // PKCS#8
	Next       []byte    `json:"next,omitempty"`    // the key that is being rolled over to
	Registered time.Time `json:"registered,omitzero"`
	Rolled     time.Time `json:"rolled,omitzero"`
	NoOCSP     bool      `json:"no_ocsp,omitempty"` // it issued a certificate without a responder
}

// accountState is the account of a client, once it is known to be good.
type accountState struct {
	turn    chan struct{} // held while the account is read or changed
	current *account      // nil: not known yet
	rolling sync.RWMutex  // held for reading by whoever signs; a roll-over waits for them
}

// begin takes the turn; the caller calls end.
func (s *accountState) begin(ctx context.Context) (end func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, localProblem("wait for the account", ctx.Err())
	}
}

// signer returns what signs requests: the account, registered.
func (a *account) signer() (acmeclient.Account, error) {
	key, err := parseKey(a.Key)
	if err != nil {
		return acmeclient.Account{}, err
	}
	return acmeclient.Account{Status: acmeclient.StatusValid, Location: a.URL, Orders: a.Orders, PrivateKey: key}, nil
}

// contact is the address as an account has it.
func contact(email string) []string {
	if email == "" {
		return nil
	}
	return []string{"mailto:" + email}
}

// register returns the account with the client's authority. It reads it from
// the store, else makes one; the authority is asked at most once for it.
func (e *engine) register(ctx context.Context, c *client) (*account, error) {
	// The ACME client reads the directory under a lock of the whole process, for
	// as long as an authority that hangs likes; so it is known to answer before.
	if _, err := c.describe(ctx); err != nil {
		return nil, err
	}
	end, err := c.account.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if a := c.account.current; a != nil {
		return a, nil
	}
	a, err := e.storedAccount(ctx, c.authority)
	if err != nil {
		return nil, localProblem("read the account", err)
	}
	if a == nil {
		if a, err = e.newAccount(ctx, c.authority); err != nil {
			return nil, localProblem("make an account", err)
		}
	}
	if len(a.Next) > 0 {
		if a, err = e.settle(ctx, c, a); err != nil {
			return nil, err
		}
	}
	if a.URL == "" {
		if a, err = e.enroll(ctx, c, a); err != nil {
			return nil, err
		}
	}
	a = e.updateContact(ctx, c, a)
	c.account.current = a
	return a, nil
}

func (e *engine) storedAccount(ctx context.Context, ca *authority) (*account, error) {
	key := accountPrefix + ca.ID
	blob, err := store.ReadOrSetAside(ctx, e.store, e.log, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := new(account)
	err = json.Unmarshal(blob, a)
	if err == nil {
		_, err = parseKey(a.Key)
	}
	if err != nil {
		return nil, store.SetAsideDamaged(ctx, e.store, e.log, key, err)
	}
	return a, nil
}

func (e *engine) newAccount(ctx context.Context, ca *authority) (*account, error) {
	a := &account{Directory: ca.Directory, Email: ca.email}
	if ca.eab != nil {
		a.Binding = ca.eab.keyID
	}
	var err error
	if a.Key, err = newKey(); err != nil {
		return nil, err
	}
	return a, e.keepAccount(ctx, ca, a)
}

// newKey makes a key for P-256 as PKCS#8.
func newKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

func (e *engine) keepAccount(ctx context.Context, ca *authority, a *account) error {
	blob, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return e.store.Put(ctx, accountPrefix+ca.ID, blob)
}

// enroll registers the account, or finds the one that its key has already.
func (e *engine) enroll(ctx context.Context, c *client, a *account) (*account, error) {
	const doing = "register an account"
	d, err := c.describe(ctx)
	if err != nil {
		return nil, err
	}
	if d.EABRequired && c.authority.eab == nil {
		return nil, &problem{Doing: doing, CA: c.authority.Name, Cause: causeAccount, Type: "externalAccountRequired", Detail: "the authority demands an external account binding; write eab with what it has given out"}
	}
	ctx, said := listen(ctx)
	ask, err := a.signer()
	if err != nil {
		return nil, localProblem(doing, err)
	}
	ask.Contact, ask.TermsOfServiceAgreed, ask.Status, ask.Orders = contact(c.authority.email), true, "", ""
	if b := c.authority.eab; b != nil {
		bound := acmeclient.EAB{KeyID: b.keyID, MACKey: base64.RawURLEncoding.EncodeToString(b.key)}
		if err := ask.SetExternalAccountBinding(ctx, c.acme, bound); err != nil {
			return nil, judge(doing, c.authority, said, err)
		}
	}
	got, err := c.acme.NewAccount(ctx, ask)
	if err != nil {
		return nil, accountProblem(judge(doing, c.authority, said, err))
	}
	if !isURL(got.Location) {
		return nil, &problem{Doing: doing, CA: c.authority.Name, Cause: causeAuthority, Detail: "the answer names no account"}
	}
	next := *a
	next.URL, next.Email, next.Terms, next.Registered = got.Location, c.authority.email, d.Terms, e.now()
	if isURL(got.Orders) {
		next.Orders = got.Orders
	}
	if err := e.keepAccount(ctx, c.authority, &next); err != nil {
		return nil, localProblem("store the account", err)
	}
	e.log.InfoContext(ctx, "account registered", "ca", c.authority.Name, "account", next.URL, "terms", next.Terms)
	return &next, nil
}

// accountProblem: while an account is made, whatever the authority refuses is
// about the account.
func accountProblem(err error) error {
	var p *problem
	if errors.As(err, &p) && (p.Cause == causeHost || p.Cause == causeRequest) {
		p.Cause = causeAccount
	}
	return err
}

// updateContact tells the authority a new address. One that it refuses is said
// and stops nothing: the account is as good as before.
func (e *engine) updateContact(ctx context.Context, c *client, a *account) *account {
	if a.Email == c.authority.email {
		return a
	}
	ctx, said := listen(ctx)
	ask, err := a.signer()
	if err != nil {
		return a
	}
	ask.Status, ask.Orders, ask.Contact = "", "", contact(c.authority.email)
	if _, err := c.acme.UpdateAccount(ctx, ask); err != nil {
		e.log.WarnContext(ctx, "the authority does not take the new e-mail address; the account keeps the former one",
			"ca", c.authority.Name, "cause", judge("change the e-mail address", c.authority, said, err))
		return a
	}
	next := *a
	next.Email = c.authority.email
	if err := e.keepAccount(ctx, c.authority, &next); err != nil {
		e.log.WarnContext(ctx, "the account's new e-mail address is not stored; it is sent again at the next start", "ca", c.authority.Name, "cause", err)
	}
	return &next
}

// lost makes the account anew, with the key that it had, after the authority
// said that it does not know it. was is the URL that it does not know.
func (e *engine) lost(ctx context.Context, c *client, was string) error {
	end, err := c.account.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	a := c.account.current
	if a == nil || a.URL != was {
		return nil // somebody was faster
	}
	e.log.WarnContext(ctx, "the authority does not know our account; registering it again", "ca", c.authority.Name, "account", was)
	next := *a
	next.URL, next.Orders = "", ""
	renewed, err := e.enroll(ctx, c, &next)
	if err != nil {
		return err
	}
	c.account.current = renewed
	return nil
}

// isURL reports whether an authority's word can be the URL of a thing of its
// own.
func isURL(text string) bool {
	return len(text) > len("https://") && len(text) <= urlBytesMax && text[:len("https://")] == "https://"
}
