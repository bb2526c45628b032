package acme

import (
	"context"
	"errors"

	acmeclient "github.com/mholt/acmez/v3/acme"
	xacme "golang.org/x/crypto/acme"
)

// rollKey gives the account with an authority a new key (RFC 8555 section
// 7.3.5). Both keys are stored before the authority is told, so that a process
// killed in the middle finds out which of them it has to use. Orders in
// progress are waited for: their challenges are bound to the former key.
func (e *engine) rollKey(ctx context.Context, ca *authority) error {
	c := e.client(ca)
	c.account.rolling.Lock()
	defer c.account.rolling.Unlock()
	known, err := e.register(ctx, c)
	if err != nil {
		return err
	}
	end, err := c.account.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	next := *known
	if next.Next, err = newKey(); err != nil {
		return localProblem("roll the account key over", err)
	}
	if err := e.keepAccount(ctx, ca, &next); err != nil {
		return localProblem("store the new account key", err)
	}
	// From here on the stored account says more than the one in memory.
	c.account.current = nil
	if err := c.changeKey(ctx, &next); err != nil {
		return err
	}
	rolled, err := e.promote(ctx, c, &next)
	if err != nil {
		return err
	}
	c.account.current = rolled
	return nil
}

// changeKey tells the authority the key that is to come, through the client
// that can.
func (c *client) changeKey(ctx context.Context, a *account) error {
	const doing = "roll the account key over"
	key, err := parseKey(a.Key)
	if err != nil {
		return localProblem(doing, err)
	}
	next, err := parseKey(a.Next)
	if err != nil {
		return localProblem(doing, err)
	}
	ctx, said := listen(ctx)
	x := c.discoverer()
	x.Key, x.KID = key, xacme.KeyID(a.URL)
	if err := x.AccountKeyRollover(ctx, next); err != nil {
		return accountProblem(judge(doing, c.authority, said, fromX(err)))
	}
	return nil
}

// fromX turns an error of golang.org/x/crypto/acme into one of acmez, which is
// what judge reads.
func fromX(err error) error {
	var told *xacme.Error
	if !errors.As(err, &told) {
		return err
	}
	return acmeclient.Problem{Type: told.ProblemType, Status: told.StatusCode, Detail: told.Detail}
}

// settle finds out which of two keys the account has, after a roll-over that
// was cut off.
func (e *engine) settle(ctx context.Context, c *client, a *account) (*account, error) {
	const doing = "find out which key the account has"
	next, err := parseKey(a.Next)
	if err != nil {
		return nil, localProblem(doing, err)
	}
	ctx, said := listen(ctx)
	found, err := c.acme.GetAccount(ctx, acmeclient.Account{PrivateKey: next})
	if err == nil && found.Location == a.URL {
		return e.promote(ctx, c, a)
	}
	if err == nil {
		return nil, &problem{Doing: doing, CA: c.authority.Name, Cause: causeAuthority, Detail: "the new key belongs to another account"}
	}
	word := judge(doing, c.authority, said, err)
	if word.Type != "accountDoesNotExist" {
		return nil, word
	}
	kept := *a
	kept.Next = nil
	if err := e.keepAccount(ctx, c.authority, &kept); err != nil {
		return nil, localProblem("store the account", err)
	}
	e.log.WarnContext(ctx, "a roll-over of the account key did not reach the authority; the account keeps its key", "ca", c.authority.Name)
	return &kept, nil
}

// promote makes the next key the key.
func (e *engine) promote(ctx context.Context, c *client, a *account) (*account, error) {
	rolled := *a
	rolled.Key, rolled.Next, rolled.Rolled = a.Next, nil, e.now()
	if err := e.keepAccount(ctx, c.authority, &rolled); err != nil {
		return nil, localProblem("store the account", err)
	}
	e.log.InfoContext(ctx, "account key rolled over", "ca", c.authority.Name, "account", a.URL)
	return &rolled, nil
}
