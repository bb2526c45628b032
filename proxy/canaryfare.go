package proxy

import (
	"fmt"
	"sync/atomic"
	"time"

	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

// fare is how a canary has done. It outlives tables in which the canary means
// the same.
type fare struct {
	rate     pool.ErrorRate
	givenUp  atomic.Pointer[CanaryAbort]
	requests atomic.Uint64
	errors   atomic.Uint64
}

// CanaryAbort is a canary that was given up.
type CanaryAbort struct {
	Tenant string
	Canary string // its [tenancy.Canary.Digest]
	At     time.Time
	Why    string
}

// CanaryAborts remembers which canaries were given up, for longer than a Server
// lives. Its methods are called by whoever finds out and must not wait.
type CanaryAborts interface {
	Find(tenant, canary string) (CanaryAbort, bool)
	Note(CanaryAbort)
}

// fared notes what became of a request that the canary had, and gives the canary
// up where its rule says so.
func (c *canary) fared(requests, errors int64) {
	c.fare.requests.Add(uint64(requests))
	c.fare.errors.Add(uint64(errors))
	c.metrics.Canary(uint64(requests), uint64(errors))
	rule, now := c.rules.Abort, time.Now()
	if rule.Of == 0 {
		return
	}
	all, failed := c.fare.rate.Add(now.UnixNano(), rule.Within, requests, errors)
	if errors == 0 || all < int64(rule.Of) || failed*100 < all*int64(rule.Errors) {
		return
	}
	why := fmt.Sprintf("%d of %d requests failed within %s", failed, all, rule.Within)
	abort := CanaryAbort{c.tenant, c.rules.Digest(), now, why}
	if c.fare.givenUp.CompareAndSwap(nil, &abort) {
		if c.aborts != nil {
			c.aborts.Note(abort)
		}
		c.metrics.CanaryGivenUp()
		c.log.Warn("a canary was given up; everything goes to the backends beside it until the canary is written otherwise",
			"pool", c.pool.Name(), "why", why, "rule", rule.String())
	}
}

// CanaryStats is a canary of a tenant as it stands.
type CanaryStats struct {
	Rules    *tenancy.Canary
	Route    string // the first that has it
	Requests uint64 // that it had
	Errors   uint64 // of them
	GivenUp  time.Time
	Why      string // it was given up; "" while it is not
}

// canaryStats describes the canaries of each tenant that has any, by its id.
func (s *Server) canaryStats() map[string][]CanaryStats {
	all := make(map[string][]CanaryStats)
	snap := s.snapshot()
	if snap == nil {
		return all
	}
	for tenant, run := range snap.running {
		seen := make(map[*canary]bool)
		for _, c := range run.canaries {
			if c == nil || seen[c] {
				continue
			}
			seen[c] = true
			stats := CanaryStats{Rules: c.rules, Route: c.route, Requests: c.fare.requests.Load(), Errors: c.fare.errors.Load()}
			if end := c.fare.givenUp.Load(); end != nil {
				stats.GivenUp, stats.Why = end.At, end.Why
			}
			all[tenant.ID()] = append(all[tenant.ID()], stats)
		}
	}
	return all
}
