package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// Certificates asks for every certificate, or those of a state or a tenant.
func (c *Client) Certificates(ctx context.Context, state, tenant string) ([]CertificateStatus, error) {
	var list []CertificateStatus
	err := c.call(ctx, http.MethodGet, "/v1/certs", url.Values{"state": {state}, "tenant": {tenant}}, &list)
	return list, err
}

// RenewCertificate has a new certificate obtained ahead of the queue.
func (c *Client) RenewCertificate(ctx context.Context, host string) error {
	return c.do(ctx, "/v1/certs/renew", url.Values{"host": {host}})
}

// ImportCertificate hands over a certificate and its key.
func (c *Client) ImportCertificate(ctx context.Context, host string, pair Pair) error {
	body, err := json.Marshal(pair)
	if err != nil {
		return err
	}
	return c.send(ctx, "/v1/certs/import", url.Values{"host": {host}}, bytes.NewReader(body))
}

// ExportCertificate asks for the certificate of a host, and for its key if
// withKey says so.
func (c *Client) ExportCertificate(ctx context.Context, host string, withKey bool) (Pair, error) {
	var pair Pair
	err := c.call(ctx, http.MethodPost, "/v1/certs/export", url.Values{"host": {host}, "key": {strconv.FormatBool(withKey)}}, &pair)
	return pair, err
}

// RevokeCertificate has the certificate of a host revoked, for a reason of
// RFC 5280 section 5.3.1.
func (c *Client) RevokeCertificate(ctx context.Context, host string, reason int) error {
	return c.do(ctx, "/v1/certs/revoke", url.Values{"host": {host}, "reason": {strconv.Itoa(reason)}})
}

// Preflight has a host looked at as before an order.
func (c *Client) Preflight(ctx context.Context, host string) (PreflightReport, error) {
	var report PreflightReport
	err := c.call(ctx, http.MethodPost, "/v1/acme/preflight", url.Values{"host": {host}}, &report)
	return report, err
}

// Budgets asks what is left of the order budget.
func (c *Client) Budgets(ctx context.Context) ([]BudgetStatus, error) {
	var list []BudgetStatus
	err := c.call(ctx, http.MethodGet, "/v1/acme/budgets", nil, &list)
	return list, err
}

// Accounts asks for the accounts with authorities.
func (c *Client) Accounts(ctx context.Context) ([]AccountStatus, error) {
	var list []AccountStatus
	err := c.call(ctx, http.MethodGet, "/v1/acme/accounts", nil, &list)
	return list, err
}

// RollAccountKey gives the account with an authority a new key.
func (c *Client) RollAccountKey(ctx context.Context, ca string) error {
	return c.do(ctx, "/v1/acme/roll-key", url.Values{"ca": {ca}})
}

// do asks for a change that is answered with nothing.
func (c *Client) do(ctx context.Context, path string, query url.Values) error {
	return c.call(ctx, http.MethodPost, path, query, new(struct{}))
}

// send is do with a body.
func (c *Client) send(ctx context.Context, path string, query url.Values, body io.Reader) error {
	request := question{method: http.MethodPost, path: path, query: query, body: body}
	return c.put(ctx, request, func(answer io.Reader) error { return json.NewDecoder(answer).Decode(new(struct{})) })
}
