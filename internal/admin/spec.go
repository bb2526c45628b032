package admin

import (
	"net/netip"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
)

// Finding is one thing that is to be said about the files.
type Finding = conf.Finding

// Spec is the key `listen.admin` as written.
type Spec struct {
	Address conf.At[string]              `conf:"address,required,short" doc:"where metrics and status are served, read-only" example:"127.0.0.1:9180"`
	Token   *conf.Secret                 `conf:"token" doc:"what a client must send as a bearer token; required off loopback" example:"{file: /etc/gatehouse/admin.token}"`
	Allow   conf.List[ipallow.EntrySpec] `conf:"allow" doc:"addresses that may connect; required off loopback" example:"[set:our-noc]"`
}

// CheckConf refuses an address off loopback without a token and a list:
// metrics name every tenant.
func (s *Spec) CheckConf(p conf.Pos, r *conf.Report) {
	checkAddress(s.Address, r)
	if isLoopback(s.Address.V) {
		return
	}
	if s.Token == nil || !s.Allow.Set() {
		r.Fault(p, "write {address: …, token: {file: …}, allow: […]}, or listen on 127.0.0.1",
			"admin address %q is not loopback; it needs a token and an allow list", s.Address.V)
	}
}

// HealthSpec is the key `listen.health` as written.
type HealthSpec struct {
	Address conf.At[string]              `conf:"address,required,short" doc:"where load balancers ask /livez and /readyz, over plain HTTP with any Host" example:":9181"`
	Allow   conf.List[ipallow.EntrySpec] `conf:"allow" doc:"addresses that may ask; absent: any" example:"[set:lb]"`
}

// CheckConf refuses an address that cannot be listened on.
func (s *HealthSpec) CheckConf(_ conf.Pos, r *conf.Report) { checkAddress(s.Address, r) }

func checkAddress(a conf.At[string], r *conf.Report) {
	if _, ok := splitAddress(a.V); !ok {
		r.Fault(a.Pos, "", `%q is not an address to listen on; write it like "127.0.0.1:9180" or ":9180"`, a.V)
	}
}

// isLoopback reports whether only this machine reaches address.
func isLoopback(address string) bool {
	host, ok := splitAddress(address)
	if !ok {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
