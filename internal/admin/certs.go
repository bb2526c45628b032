package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
)

// pairBytesMax bounds a certificate that is imported, with its chain and key: a
// chain of ten certificates has 30 KiB.
const pairBytesMax = 1 << 20

// Certificates is what operators can see and do about certificates. actor is who
// asked; every change is recorded with it.
type Certificates struct {
	// List returns every certificate and every host that is to have one, sorted by
	// name.
	List func() []CertificateStatus
	// Renew obtains new certificates ahead of the queue. The budget holds all the
	// same.
	Renew func(ctx context.Context, host, actor string) error
	// Import takes a certificate and its key, both PEM, for a host.
	Import func(ctx context.Context, host string, pair Pair, actor string) error
	// Export returns the certificate of a host, with its key or without.
	Export func(ctx context.Context, host string, withKey bool, actor string) (Pair, error)
	// Revoke has the authority revoke the certificate of a host for a reason of
	// RFC 5280 section 5.3.1, and obtains one with another key.
	Revoke func(ctx context.Context, host string, reason int, actor string) error
	// Preflight looks at a host as it is looked at before an order; it spends
	// nothing.
	Preflight func(ctx context.Context, host string) (PreflightReport, error)
	// Budgets lists what is left of the order budget.
	Budgets func() []BudgetStatus
	// Accounts lists the accounts with authorities.
	Accounts func(ctx context.Context) ([]AccountStatus, error)
	// RollKey gives the account with an authority a new key.
	RollKey func(ctx context.Context, ca, actor string) error
}

// Pair is a certificate with its chain, and its private key.
type Pair struct {
	Chain []byte `json:"chain"`         // PEM
	Key   []byte `json:"key,omitempty"` // PEM
}

// handleCertificates adds what is said and done about certificates.
func (s *Server) handleCertificates(mux *http.ServeMux) {
	c := &s.house.Certificates
	mux.HandleFunc("POST /v1/certs/renew", onHost(c.Renew))
	mux.HandleFunc("POST /v1/certs/import", s.importCert)
	mux.HandleFunc("POST /v1/certs/export", s.exportCert)
	mux.HandleFunc("POST /v1/certs/revoke", s.revokeCert)
	mux.HandleFunc("GET /v1/acme/budgets", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, c.Budgets()) })
	mux.HandleFunc("GET /v1/acme/accounts", func(w http.ResponseWriter, r *http.Request) {
		accounts, err := c.Accounts(r.Context())
		answer(w, accounts, err)
	})
	mux.HandleFunc("POST /v1/acme/roll-key", func(w http.ResponseWriter, r *http.Request) {
		answer(w, struct{}{}, c.RollKey(r.Context(), r.URL.Query().Get("ca"), r.RemoteAddr))
	})
	mux.HandleFunc("POST /v1/acme/preflight", func(w http.ResponseWriter, r *http.Request) {
		report, err := c.Preflight(r.Context(), r.URL.Query().Get("host"))
		answer(w, report, err)
	})
}

// onHost does something to the host that the query names.
func onHost(do func(ctx context.Context, host, actor string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer(w, struct{}{}, do(r.Context(), r.URL.Query().Get("host"), r.RemoteAddr))
	}
}

// answer answers with v, or with what went wrong.
func answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		answerProblem(w, http.StatusConflict, err)
		return
	}
	answerJSON(w, http.StatusOK, v)
}

// certs lists the certificates of a state and of a tenant, where these are
// asked for.
func (s *Server) certs(w http.ResponseWriter, r *http.Request) {
	state, tenant := r.URL.Query().Get("state"), r.URL.Query().Get("tenant")
	list := slices.DeleteFunc(s.house.Certificates.List(), func(c CertificateStatus) bool {
		return state != "" && c.State != state || tenant != "" && c.Tenant != tenant
	})
	answerJSON(w, http.StatusOK, list)
}

func (s *Server) importCert(w http.ResponseWriter, r *http.Request) {
	var pair Pair
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, pairBytesMax)).Decode(&pair); err != nil {
		answerProblem(w, http.StatusBadRequest, err)
		return
	}
	answer(w, struct{}{}, s.house.Certificates.Import(r.Context(), r.URL.Query().Get("host"), pair, r.RemoteAddr))
}

func (s *Server) exportCert(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	pair, err := s.house.Certificates.Export(r.Context(), query.Get("host"), query.Get("key") == "true", r.RemoteAddr)
	answer(w, pair, err)
}

func (s *Server) revokeCert(w http.ResponseWriter, r *http.Request) {
	reason, err := strconv.Atoi(r.URL.Query().Get("reason"))
	if err != nil {
		answerProblem(w, http.StatusBadRequest, err)
		return
	}
	answer(w, struct{}{}, s.house.Certificates.Revoke(r.Context(), r.URL.Query().Get("host"), reason, r.RemoteAddr))
}
