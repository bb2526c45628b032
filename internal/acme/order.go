package acme

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	acmeclient "github.com/mholt/acmez/v3/acme"
)

const (
	// authorizationsMost bounds those of an order: one name has one.
	authorizationsMost = 4

	// lostOrdersMost bounds how many orders of the account are looked at for one
	// whose URL was lost.
	lostOrdersMost = 8
)

// ordering brings one order from wherever it stands to its certificate.
type ordering struct {
	engine   *engine
	settings *Settings
	client   *client
	req      request
	order    *pendingOrder
	held     *bundle // the certificate that is replaced; may be nil
	account  acmeclient.Account
}

// issued is what an order leads to.
type issued struct {
	chain  [][]byte // DER, leaf first
	window ariWindow
}

// run brings the order to its end. Every step that the authority confirmed is
// found again by the next attempt.
func (o *ordering) run(ctx context.Context, csr *x509.CertificateRequest) (*issued, error) {
	o.client.account.rolling.RLock()
	defer o.client.account.rolling.RUnlock()
	if err := o.enter(ctx); err != nil {
		return nil, err
	}
	at, err := o.stand(ctx)
	if err != nil {
		return nil, err
	}
	if at.Status == acmeclient.StatusPending {
		if err := o.authorize(ctx, at); err != nil {
			return nil, err
		}
		if at, err = o.look(ctx); err != nil {
			return nil, err
		}
	}
	if at, err = o.finalize(ctx, at, csr); err != nil {
		return nil, err
	}
	return o.download(ctx, at)
}

// enter makes sure of the account, and that the authority can do what is asked.
func (o *ordering) enter(ctx context.Context) error {
	if err := o.client.checkProfile(ctx, o.order.Profile); err != nil {
		if asProblem(err).Cause == causeRequest { // else it may still lead to a certificate
			o.abandon(ctx)
		}
		return err
	}
	a, err := o.engine.register(ctx, o.client)
	if err != nil {
		return err
	}
	if o.order.MustStaple && a.NoOCSP {
		o.abandon(ctx)
		return requestProblem(o.client.authority, "ask for a certificate that must be stapled", "the authority has no OCSP responder; remove must_staple")
	}
	if o.account, err = a.signer(); err != nil {
		return localProblem("read the account key", err)
	}
	return nil
}

// stand returns the order as the authority has it, placing one if there is
// none that serves.
func (o *ordering) stand(ctx context.Context) (acmeclient.Order, error) {
	if o.order.URL == "" && !o.order.fresh {
		if err := o.recover(ctx); err != nil {
			return acmeclient.Order{}, err
		}
	}
	if o.order.URL != "" && o.order.Account == o.account.Location {
		at, err := o.look(ctx)
		if err == nil && serving(at.Status) {
			return at, nil
		}
		var p *problem
		if errors.As(err, &p) && !p.gone() {
			return acmeclient.Order{}, p.kept()
		}
		// It is over, or the authority has forgotten it: the next one.
	}
	return o.place(ctx)
}

// serving reports whether an order in this state can still lead to a
// certificate.
func serving(status string) bool {
	switch status {
	case acmeclient.StatusPending, acmeclient.StatusReady, acmeclient.StatusProcessing, acmeclient.StatusValid:
		return true
	}
	return false
}

// place places a new order and stores its URL.
func (o *ordering) place(ctx context.Context) (acmeclient.Order, error) {
	if err := o.able(ctx); err != nil {
		o.abandon(ctx)
		return acmeclient.Order{}, err
	}
	at, err := o.newOrder(ctx)
	if err != nil {
		return at, err
	}
	if !isURL(at.Location) || !isURL(at.Finalize) || len(at.Authorizations) == 0 || len(at.Authorizations) > authorizationsMost {
		o.abandon(ctx)
		return at, &problem{Doing: "place an order", CA: o.client.authority.Name, Cause: causeAuthority, Detail: fmt.Sprintf("the answer is no order for one name: %d authorizations", len(at.Authorizations))}
	}
	o.order.URL, o.order.Account = at.Location, o.account.Location
	if err := o.engine.keep(ctx, o.order); err != nil {
		// The order is known to the authority alone; it is looked for there.
		return at, localProblem("store the order", err)
	}
	return at, nil
}

// newOrder places an order, naming the predecessor if the same authority issued
// it (RFC 9773 section 5).
func (o *ordering) newOrder(ctx context.Context) (acmeclient.Order, error) {
	ask := acmeclient.Order{Identifiers: []acmeclient.Identifier{{Type: "dns", Value: o.req.Name}}, Profile: o.order.Profile}
	if o.req.Replaces != nil && o.held != nil && o.held.CAID == o.req.CA.ID {
		ask.Replaces, _ = acmeclient.ARIUniqueIdentifier(o.req.Replaces)
	}
	for tries := 0; ; tries++ {
		heard, said := listen(ctx)
		said.once = true
		at, err := o.client.acme.NewOrder(heard, o.account, ask)
		if err == nil {
			return at, nil
		}
		p := judge("place an order", o.client.authority, said, err)
		o.order.doubtful = o.order.doubtful || said.lost != nil
		switch {
		case tries < 2 && p.Type == "accountDoesNotExist":
			if err := o.relocate(ctx); err != nil {
				return at, err
			}
		case ask.Replaces != "" && p.Cause == causeRequest:
			// It was replaced already, or the authority has forgotten it.
			ask.Replaces = ""
		case p.Cause == causeRequest || p.Cause == causeHost:
			o.abandon(ctx)
			return at, p
		default:
			return at, p
		}
	}
}

// relocate registers the account again that the authority does not know.
func (o *ordering) relocate(ctx context.Context) error {
	if err := o.engine.lost(ctx, o.client, o.account.Location); err != nil {
		return err
	}
	return o.enter(ctx)
}

// recover looks for an order that was placed and whose URL was lost with the
// process: some authorities list them (RFC 8555 section 7.1.2.1), others hand
// out an unfinished one again when it is asked for.
func (o *ordering) recover(ctx context.Context) error {
	if o.account.Orders == "" {
		return nil
	}
	listed, said := listen(ctx)
	said.keep = true
	if _, err := o.client.acme.GetOrder(listed, o.account, acmeclient.Order{Location: o.account.Orders}); err != nil {
		p := judge("look for a lost order", o.client.authority, said, err)
		if p.Cause == causeStopped {
			return p.kept()
		}
		return nil
	}
	var page struct {
		Orders []string `json:"orders"`
	}
	if json.Unmarshal(said.body, &page) != nil {
		return nil
	}
	// The newest stand last with those who say so; a few are enough.
	for i := len(page.Orders) - 1; i >= 0 && len(page.Orders)-i <= lostOrdersMost; i-- {
		if isURL(page.Orders[i]) && o.isOurs(ctx, page.Orders[i]) {
			o.order.URL, o.order.Account = page.Orders[i], o.account.Location
			return nil
		}
	}
	return nil
}

// isOurs reports whether an order is one for the name alone that nobody has
// begun to finalize, so that our key still fits.
func (o *ordering) isOurs(ctx context.Context, url string) bool {
	ctx, _ = listen(ctx)
	at, err := o.client.acme.GetOrder(ctx, o.account, acmeclient.Order{Location: url})
	return err == nil && (at.Status == acmeclient.StatusPending || at.Status == acmeclient.StatusReady) &&
		len(at.Identifiers) == 1 && strings.EqualFold(at.Identifiers[0].Value, o.req.Name) &&
		(o.order.Profile == "" || at.Profile == o.order.Profile)
}

// look asks for the order as it is now.
func (o *ordering) look(ctx context.Context) (acmeclient.Order, error) {
	ctx, said := listen(ctx)
	at, err := o.client.acme.GetOrder(ctx, o.account, acmeclient.Order{Location: o.order.URL})
	if err != nil {
		return at, judge("look at the order", o.client.authority, said, err).kept()
	}
	return at, nil
}

// finalize hands the authority the CSR, unless it has it, and waits for the
// certificate.
func (o *ordering) finalize(ctx context.Context, at acmeclient.Order, csr *x509.CertificateRequest) (acmeclient.Order, error) {
	const doing = "finalize the order"
	if at.Status == acmeclient.StatusValid {
		return at, nil
	}
	if at.Status != acmeclient.StatusReady && at.Status != acmeclient.StatusProcessing {
		return at, o.dead(ctx, doing, at)
	}
	heard, said := listen(ctx)
	at, err := o.client.acme.FinalizeOrder(heard, o.account, at, csr.Raw)
	if err == nil {
		return at, nil
	}
	if at.Status == acmeclient.StatusInvalid {
		return at, o.dead(ctx, doing, at)
	}
	p := judge(doing, o.client.authority, said, err)
	if p.Cause == causeHost || p.Cause == causeRequest {
		o.abandon(ctx)
		return at, p
	}
	return at, p.kept()
}

// dead says why an order came to its end without a certificate.
func (o *ordering) dead(ctx context.Context, doing string, at acmeclient.Order) error {
	o.abandon(ctx)
	if at.Error != nil {
		return judge(doing, o.client.authority, nil, *at.Error)
	}
	return &problem{Doing: doing, CA: o.client.authority.Name, Cause: causeAuthority, Detail: "the order is " + clean(at.Status)}
}

// abandon removes an order that leads nowhere, its key included.
func (o *ordering) abandon(ctx context.Context) { o.engine.forget(ctx, o.order) }

// download fetches the certificate, once it is issued, and looks whether it is
// the one that was asked for.
func (o *ordering) download(ctx context.Context, at acmeclient.Order) (*issued, error) {
	const doing = "download the certificate"
	if !isURL(at.Certificate) {
		o.abandon(ctx)
		return nil, &problem{Doing: doing, CA: o.client.authority.Name, Cause: causeAuthority, Detail: "the order names no certificate"}
	}
	heard, said := listen(ctx)
	said.alone = true
	chains, err := o.client.acme.GetCertificateChain(heard, o.account, at.Certificate)
	if err == nil && len(chains) == 0 {
		err = errors.New("the answer holds no certificate")
	}
	if err != nil {
		return nil, judge(doing, o.client.authority, said, err).kept()
	}
	chain, err := decodeChain(chains[0].ChainPEM)
	var leaf *x509.Certificate
	if err == nil {
		leaf, err = checkIssued(chain, o.req.Name, o.order)
	}
	if err != nil {
		o.abandon(ctx)
		return nil, &problem{Doing: doing, CA: o.client.authority.Name, Cause: causeAuthority, Detail: clean(err.Error()), err: err}
	}
	if err := o.checkStaple(ctx, leaf); err != nil {
		return nil, err
	}
	done := &issued{chain: chain}
	if info, err := o.client.renewalInfo(ctx, leaf); err == nil { // else it is asked for later
		done.window = info.window(ariWindow{}, o.engine.now())
	}
	return done, nil
}

// checkStaple refuses a certificate that must be stapled and never can be, and
// remembers it, so that one alone is spent on finding out.
func (o *ordering) checkStaple(ctx context.Context, leaf *x509.Certificate) error {
	if !o.order.MustStaple || len(leaf.OCSPServer) > 0 {
		return nil
	}
	o.abandon(ctx)
	if err := o.engine.noteNoOCSP(ctx, o.client); err != nil {
		return err
	}
	return requestProblem(o.client.authority, "use a certificate that must be stapled", "it names no OCSP responder; remove must_staple")
}
