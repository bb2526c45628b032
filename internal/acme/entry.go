package acme

import (
	"context"
	"time"
)

// entry is what the Manager knows of one host. The Manager's lock guards it.
type entry struct {
	Host
	quiet   int64  // Unix time, ns, before which nothing becomes due
	domain  string // registeredDomain of the name
	wanted  bool
	round   uint64 // of SetHosts that named it last
	held    *held  // nil: no certificate
	served  bool   // it had a certificate once, or DNS leads here: it is live
	asked   bool   // an operator wants a new certificate now
	revoked bool   // the certificate held is revoked
	since   time.Time
	trouble *trouble
	check   *check
	paid    payment

	stop    context.CancelFunc // ends what runs for it; nil: nothing does
	issuing bool               // that is an order
	place   place
	turn    int64 // its place among the hosts of other tenants
	eta     int64 // Unix time, ns; of the last estimate
	warned  bool  // that its certificate is not good yet was told
	listed  bool  // it waits for a look at DNS
	refresh bool  // it waits for, or is at, a refresh of window and staple
	told    State // the last state that the log told
}

// payment remembers an order that is in the store and can be resumed.
type payment struct {
	account string // authority.ID; empty: none
	at      time.Time
}

// covers reports whether an order at this authority is paid for already.
func (p payment) covers(account string, now time.Time) bool {
	age := now.Sub(p.at)
	return p.account != "" && p.account == account && age < orderAgeMax && age > -orderAgeMax
}

// trouble is what is known of attempts that failed.
type trouble struct {
	fails   int // in a row
	cause   cause
	words   string // the authority's
	again   again  // not tried before
	via     int    // which authority is next
	because string // why it is not the first
}

// ready returns when the host may be tried again.
func (t *trouble) ready(now time.Time) time.Time {
	if t == nil {
		return now
	}
	return t.again.when(now)
}

// again is an instant at which to do something once more.
type again struct {
	next time.Time
	set  time.Time // when that was decided
}

// when returns the instant. Where the clock went back since it was set, it
// moves along: the wait is the one that was meant, not that and a year.
func (a *again) when(now time.Time) time.Time {
	if now.Before(a.set) {
		a.next, a.set = now.Add(a.next.Sub(a.set)), now
	}
	return a.next
}

// needs reports whether the host is to have another certificate now.
func (e *entry) needs(s *Settings, now time.Time) bool {
	switch {
	case !e.wanted || s == nil:
		return false
	case e.held == nil || e.asked || e.revoked || e.held.expired(now):
		return true
	case e.held.early(now):
		return false
	}
	return e.held.due(now) || e.moved(s) && !e.held.fresh(now)
}

// moved reports whether the certificate comes from an authority that is no
// longer among those of the settings: its clients may not trust it.
func (e *entry) moved(s *Settings) bool {
	if e.held.caID == "" {
		return false
	}
	for _, a := range s.authorities {
		if a.ID == e.held.caID {
			return false
		}
	}
	return true
}

// class is how urgent an order is.
type class uint8

const (
	classAsked    class = iota // by an operator
	classExpiring              // it has a certificate that is due
	classLive                  // it is live and has none
	classNew
)

func (e *entry) class(s *Settings, now time.Time) class {
	switch {
	case e.asked || e.revoked:
		return classAsked
	case e.held != nil && !e.held.expired(now) && !e.moved(s):
		return classExpiring
	case e.held != nil || e.served:
		return classLive
	}
	return classNew
}

// fails is how many attempts failed in a row.
func (e *entry) fails() int {
	if e.trouble == nil {
		return 0
	}
	return e.trouble.fails
}
