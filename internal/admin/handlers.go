package admin

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
)

// healthHandler answers what load balancers ask.
func (s *Server) healthHandler() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { answerText(w, http.StatusOK, "alive\n") })
	mux.HandleFunc("/readyz", s.ready)
	return mux
}

// readOnlyHandler adds what dashboards read.
func (s *Server) readOnlyHandler() *http.ServeMux {
	mux := s.healthHandler()
	mux.Handle("/metrics", s.house.Metrics)
	mux.HandleFunc("/v1/status", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, s.house.Status()) })
	mux.HandleFunc("/v1/certs", s.certs)
	mux.HandleFunc("/v1/explain", s.explain)
	return mux
}

// socketHandler adds what only operators of this machine may do.
func (s *Server) socketHandler() http.Handler {
	mux := s.readOnlyHandler()
	mux.HandleFunc("GET /v1/ca", s.root)
	mux.HandleFunc("POST /v1/reload", s.reload)
	s.handleCertificates(mux)
	mux.HandleFunc("GET /v1/levers", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, http.StatusOK, s.house.Levers.List()) })
	mux.HandleFunc("POST /v1/levers", s.pull)
	mux.HandleFunc("GET /v1/drain", s.drainProgress)
	mux.HandleFunc("GET /v1/why", s.why)
	mux.HandleFunc("GET /v1/keys", s.keys)
	mux.HandleFunc("POST /v1/keys/rotate", s.rotateKeys)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	if err := s.house.Ready(); err != nil {
		answerText(w, http.StatusServiceUnavailable, "not ready: "+err.Error()+"\n")
		return
	}
	answerText(w, http.StatusOK, "ready\n")
}

func (s *Server) explain(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	explanation, err := s.house.Explain(ExplainQuery{
		URL: q.Get("url"), From: q.Get("from"), SNI: q.Get("sni"), Method: q.Get("method"), User: q.Get("user"),
	})
	if err != nil {
		answerProblem(w, http.StatusBadRequest, err)
		return
	}
	answerJSON(w, http.StatusOK, explanation)
}

func (s *Server) root(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	_, _ = w.Write(s.house.RootPEM()) // the caller is gone: nothing is lost
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	result, err := s.house.Reload(r.Context(), r.URL.Query().Get("force") == "true", r.RemoteAddr)
	if err != nil {
		answerProblem(w, http.StatusServiceUnavailable, err)
		return
	}
	answerJSON(w, http.StatusOK, result)
}

func answerText(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the caller is gone: nothing is lost
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller is gone: nothing is lost
}

// problem is the body of an answer that is not what was asked for.
type problem struct {
	Problem string `json:"problem"`
}

// Error returns the words that the gateway answered with.
func (p problem) Error() string { return p.Problem }

func answerProblem(w http.ResponseWriter, status int, err error) {
	answerJSON(w, status, problem{err.Error()})
}
