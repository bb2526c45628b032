package acme

import (
	"context"
	"fmt"

	acmeclient "github.com/mholt/acmez/v3/acme"
)

// revocationReasons are those that a subscriber may give (RFC 5280 section
// 5.3.1, CA/Browser Forum Baseline Requirements 4.9.1.1).
var revocationReasons = map[int]string{
	acmeclient.ReasonUnspecified:          "unspecified",
	acmeclient.ReasonKeyCompromise:        "keyCompromise",
	acmeclient.ReasonAffiliationChanged:   "affiliationChanged",
	acmeclient.ReasonSuperseded:           "superseded",
	acmeclient.ReasonCessationOfOperation: "cessationOfOperation",
}

// revoke tells the authority that the certificate is to be trusted no more (RFC
// 8555 section 7.6). One that is revoked already is fine. A compromised key is
// proved by signing with it, which also keeps it from ever being certified
// again; that works without the account, too.
func (e *engine) revoke(ctx context.Context, b *bundle, reason int) error {
	const doing = "revoke the certificate"
	if _, ok := revocationReasons[reason]; !ok {
		return &problem{Doing: doing, Cause: causeRequest, Detail: fmt.Sprintf("reason %d is not one that a subscriber may give; expected 0, 1, 3, 4 or 5", reason)}
	}
	c, err := e.issuer(b)
	if err != nil {
		return err
	}
	leaf, err := b.leaf()
	if err != nil {
		return localProblem(doing, err)
	}
	key, err := b.signer()
	if err != nil {
		return localProblem(doing, err)
	}
	c.account.rolling.RLock()
	defer c.account.rolling.RUnlock()
	a, err := e.register(ctx, c)
	if err != nil && reason != acmeclient.ReasonKeyCompromise {
		return err
	}
	ctx, said := listen(ctx)
	if err != nil || reason == acmeclient.ReasonKeyCompromise || a.URL != b.Account {
		err = c.acme.RevokeCertificate(ctx, acmeclient.Account{}, leaf, key, reason)
	} else if signs, bad := a.signer(); bad != nil {
		return localProblem(doing, bad)
	} else {
		err = c.acme.RevokeCertificate(ctx, signs, leaf, nil, reason)
	}
	if err == nil {
		return nil
	}
	if p := judge(doing, c.authority, said, err); p.Type != "alreadyRevoked" {
		return p
	}
	return nil
}
