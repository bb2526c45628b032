package gateway

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gatehouse/internal/acme"
	"gatehouse/internal/admin"
	"gatehouse/tenancy"
)

// manyAttempts is what the manager says for "more than anybody counts".
const manyAttempts = 99

// certificateDoors are what operators can see and do about certificates.
func (g *gateway) certificateDoors() admin.Certificates {
	return admin.Certificates{
		List: g.certificates, Budgets: g.budgets, Accounts: g.accounts, Preflight: g.preflight,
		Renew: func(ctx context.Context, host, actor string) error {
			host = hostAsWritten(host)
			return g.recorded(ctx, order{"certs renew", actor, host}, g.acme.Renew(ctx, host))
		},
		Import: func(ctx context.Context, host string, pair admin.Pair, actor string) error {
			host = hostAsWritten(host)
			return g.recorded(ctx, order{"certs import", actor, host}, g.acme.Import(ctx, host, pair.Chain, pair.Key))
		},
		Export: g.export,
		Revoke: func(ctx context.Context, host string, reason int, actor string) error {
			host = hostAsWritten(host)
			return g.recorded(ctx, order{"certs revoke", actor, host}, g.acme.Revoke(ctx, host, reason), "reason", reason)
		},
		RollKey: func(ctx context.Context, ca, actor string) error {
			return g.recorded(ctx, order{"acme account roll-key", actor, ca}, g.acme.RollAccountKey(ctx, ca))
		},
	}
}

// order is something that an operator has done.
type order struct{ what, actor, on string }

// recorded notes who had what done, and what came of it, and returns err.
func (g *gateway) recorded(ctx context.Context, o order, err error, attrs ...any) error {
	attrs = append([]any{"command", o.what, "actor", o.actor, "on", o.on}, attrs...)
	if err != nil {
		g.log.ErrorContext(ctx, "command failed", append(attrs, "err", err)...)
		return err
	}
	g.log.InfoContext(ctx, "command done", attrs...)
	return nil
}

// hostAsWritten normalises a host that an operator typed, as hosts of tables
// are. What is none stays as it is, and is no host of ours.
func hostAsWritten(typed string) string {
	name, wildcard := strings.CutPrefix(typed, "*.")
	host, ok := tenancy.NormalizeHost(nil, []byte(name))
	switch {
	case !ok:
		return typed
	case wildcard:
		return "*." + string(host)
	}
	return string(host)
}

// export hands a certificate out. With the key it uses the sealing key for
// something that leaves the house, which the record says.
func (g *gateway) export(ctx context.Context, host string, withKey bool, actor string) (admin.Pair, error) {
	host = hostAsWritten(host)
	chain, key, err := g.acme.Export(ctx, host)
	err = g.recorded(ctx, order{"certs export", actor, host}, err, "private_key", withKey, "sealing_key", (*g.state.keys.chain.Load())[0].id)
	if err != nil {
		return admin.Pair{}, err
	}
	if !withKey {
		key = nil
	}
	return admin.Pair{Chain: chain, Key: key}, nil
}

// acmeStatus lists the hosts that ACME is asked for.
func (g *gateway) acmeStatus(now time.Time) []admin.CertificateStatus {
	hosts := g.acme.Hosts()
	list := make([]admin.CertificateStatus, 0, len(hosts))
	for i := range hosts {
		list = append(list, acmeView(&hosts[i], now))
	}
	return list
}

func acmeView(h *acme.HostStatus, now time.Time) admin.CertificateStatus {
	c := admin.CertificateStatus{
		Names: []string{h.Host}, Tenant: h.Tenant, Source: "acme", State: string(h.State), Detail: h.Detail, Issuer: h.CA,
		Profile: h.Profile, Serial: h.Serial, NotBefore: h.NotBefore, NotAfter: h.NotAfter,
		RenewFrom: h.RenewFrom, RenewUntil: h.RenewUntil, NextTry: h.NextTry, Estimated: h.ETA,
		Record: h.Record, LastError: h.LastError,
	}
	if h.State == acme.StateExpired && c.Detail == "" {
		c.Detail = fmt.Sprintf("it is in use although it ended %s ago, and clients refuse it", now.Sub(h.NotAfter).Round(time.Second))
	}
	if !h.NotAfter.IsZero() && h.AttemptsLeft < manyAttempts {
		c.AttemptsLeft = &h.AttemptsLeft
	}
	if h.Because != "" {
		c.Detail = joinWords(c.Detail, "not from the first authority: "+h.Because)
	}
	return c
}

func joinWords(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func (g *gateway) budgets() []admin.BudgetStatus {
	list := []admin.BudgetStatus{}
	for _, b := range g.acme.Budgets() {
		list = append(list, admin.BudgetStatus(b))
	}
	return list
}

func (g *gateway) accounts(ctx context.Context) ([]admin.AccountStatus, error) {
	accounts, err := g.acme.Accounts(ctx)
	list := []admin.AccountStatus{}
	for _, a := range accounts {
		list = append(list, admin.AccountStatus(a))
	}
	return list, err
}

func (g *gateway) preflight(ctx context.Context, host string) (admin.PreflightReport, error) {
	r, err := g.acme.Preflight(ctx, hostAsWritten(host))
	if err != nil {
		return admin.PreflightReport{}, err
	}
	view := admin.PreflightReport{
		Host: r.Host, Tenant: r.Tenant, CA: r.CA, State: string(r.State), Unsure: r.Unsure, Detail: r.Detail,
		Record: r.Record, Fine: r.Fine(), Challenges: nonNil(r.Challenges), Steps: []admin.PreflightStep{},
	}
	for _, s := range r.Steps {
		view.Steps = append(view.Steps, admin.PreflightStep(s))
	}
	return view, nil
}
