package proxy

import (
	"io"
	"log/slog"

	"gatehouse/internal/metrics"
)

// LogQuery says how much of a request's query the access log shows.
type LogQuery uint8

// The ways to log a query.
const (
	QueryDrop LogQuery = iota // nothing of it
	QueryKeys                 // the names, each value replaced by an ellipsis
	QueryFull                 // as received, bounded
)

// LogClient says how the access log shows client addresses.
type LogClient uint8

// The ways to log a client's address.
const (
	ClientFull   LogClient = iota // as it is
	ClientMasked                  // the network only: /24 of IPv4, /48 of IPv6
)

// Options are what a Server is built from besides the tables.
type Options struct {
	// Log takes events for operators; nil discards them.
	Log *slog.Logger
	// Metrics may be nil: nothing is counted then.
	Metrics *metrics.Set
	// AccessLog takes one JSON line for each request; nil turns the log off. A
	// writer that blocks costs lines, never time.
	AccessLog io.Writer
	LogQuery  LogQuery
	LogClient LogClient
}
