package proxy

import (
	"io"
	"log/slog"
	"time"

	"gatehouse/internal/metrics"
	"gatehouse/internal/pool"
	"gatehouse/internal/token"
)

// LogQuery says how much of a request's query the access log shows.
type LogQuery uint8

// The ways to log a query.
const (
	QueryDrop LogQuery = iota // nothing of it
	QueryKeys                 // the names without their values
	QueryFull                 // as received, escaped and bounded
)

// LogClient says how the access log shows client addresses.
type LogClient uint8

// The ways to log a client's address.
const (
	ClientFull   LogClient = iota // as it is
	ClientMasked                  // the network only: /24 of IPv4, /48 of IPv6
)

// DataPlane says what reads and writes HTTP/1.1 over TLS.
type DataPlane uint8

// The data planes.
const (
	OwnPlane      DataPlane = iota // the parser and loop of this module
	StandardPlane                  // net/http's server
)

// Options are what a Server is built from besides its tables. The zero value
// logs and counts nothing.
type Options struct {
	// Log takes events for operators; nil discards them. It is called in requests
	// and under locks, and so must not wait for where they go.
	Log *slog.Logger
	// Metrics may be nil: nothing is counted then. Its reasons are those of
	// [ReasonNames].
	Metrics *metrics.Set
	// AccessLog takes one JSON line for each request; nil turns the log off. A
	// writer that blocks costs lines, never time. It is not closed.
	AccessLog io.Writer
	LogQuery  LogQuery
	LogClient LogClient
	// DataPlane serves the connections of HTTP/1.1 clients.
	DataPlane DataPlane
	// Finder answers where backends are that are written by name; nil asks the
	// system's hosts file and resolvers.
	Finder pool.Finder
	// Challenges proves control of names to certificate authorities; nil proves
	// nothing.
	Challenges Challenges
	// Signing signs what clients are given to bring back, for each tenant and
	// purpose with a key derived from it. The zero Key has New make one, which is
	// forgotten with the Server.
	Signing token.Key
	// Memory is how many bytes connections and requests may take together, by
	// estimate; 0 stands for 4 GiB. What the tables take, and what the garbage
	// collector needs to breathe, comes on top.
	Memory int64
	// Connections is how many clients may be connected at a time; 0 stands for
	// 131,072, which is also the most.
	Connections int
	// BackendConnections is how many connections to backends may be open; 0
	// stands for 524,288, which is also the most.
	BackendConnections int
	// Aborts remembers canaries that were given up; nil forgets them with the
	// Server.
	Aborts CanaryAborts
	// Drain is how long the connections of a tenant that has left the table may
	// finish what they began.
	Drain time.Duration
}
