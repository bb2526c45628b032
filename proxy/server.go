// Package proxy moves bytes between a client and a backend, obeying the table.
package proxy

import (
	"log/slog"
	"sync/atomic"

	"gatehouse/internal/metrics"
	"gatehouse/tlsconfig"
)

// Server is the data plane: it accepts connections, asks the table in use what
// to do with each, and moves the bytes. New makes one, Apply gives it a table,
// Serve runs it. All methods may be called at the same time.
type Server struct {
	log     *slog.Logger
	metrics *metrics.Set
	options Options

	clock        *clock
	current      atomic.Pointer[snapshot]
	certificates atomic.Pointer[tlsconfig.Index]
	policies     *tlsconfig.Policies
	registry     *registry
	// announced is set from the moment that the server says it goes down:
	// every answer then ends its connection.
	announced atomic.Bool
}

// SetCertificates puts another index of certificates into use, for handshakes
// that begin from now on.
func (s *Server) SetCertificates(x *tlsconfig.Index) { s.certificates.Store(x) }

// Policies gives access to the TLS policies, for the keys of session tickets.
func (s *Server) Policies() *tlsconfig.Policies { return s.policies }
