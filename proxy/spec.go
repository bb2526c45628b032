package proxy

import "gatehouse/internal/conf"

// LogSpec is the key `log` as written.
type LogSpec struct {
	Access conf.At[string] `conf:"access" default:"stdout" doc:"where the access log goes, one JSON line for each request: off, stdout, or a file" example:"/var/log/gatehouse/access.log"`
	Query  conf.At[string] `conf:"query" default:"drop" enum:"drop|keys|full" doc:"how much of a request's query is logged: nothing, the names, or all" example:"keys"`
	Client conf.At[string] `conf:"client" default:"full" enum:"full|masked" doc:"whether client addresses are logged whole, or only their /24 (IPv6: /48)" example:"masked"`
}

// QueryMode returns how queries are logged.
func (s *LogSpec) QueryMode() LogQuery {
	switch s.Query.V {
	case "keys":
		return QueryKeys
	case "full":
		return QueryFull
	}
	return QueryDrop
}

// ClientMode returns how client addresses are logged.
func (s *LogSpec) ClientMode() LogClient {
	if s.Client.V == "masked" {
		return ClientMasked
	}
	return ClientFull
}
