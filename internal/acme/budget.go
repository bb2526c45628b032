package acme

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/store"
	"gatehouse/tlsconfig"

	"golang.org/x/net/publicsuffix"
)

const (
	// budgetPrefix is where budgets lie in the store.
	budgetPrefix = "acme/budget/"

	// budgetShards is into how many blobs the buckets of domains and hosts are
	// divided: an order writes one of them. With 10,000 hosts in a week a blob
	// has some hundred buckets, 20 KiB.
	budgetShards = 64

	// accountShard is the blob of the buckets of accounts, which nearly every
	// order writes too.
	accountShard = budgetShards
)

// price is what an order costs.
type price uint8

const (
	// pricePaid: nothing. An order that an earlier attempt placed goes on.
	pricePaid price = iota
	// priceInvited is a renewal inside the window that the authority itself
	// suggested, with its predecessor named: Let's Encrypt exempts it from all
	// limits but that of failed validations.
	priceInvited
	// priceEarly is one that the authority invites to long before two thirds of
	// the lifetime. It revokes, or its windows are wrong: then the limit of the
	// name ends the loop.
	priceEarly
	// priceRenewal is a further certificate of a name: the limit of registered
	// domains is for names that are new.
	priceRenewal
	// priceNew is the first certificate of a name.
	priceNew
)

// purchase is an order, as far as budgets are concerned.
type purchase struct {
	account string // authority.ID
	name    string
	domain  string // registeredDomain of name
	price   price
}

// scope says whose bucket one is.
type scope byte

const (
	scopeAccount  scope = 'a'
	scopeDomain   scope = 'd'
	scopeHost     scope = 'h'
	scopeFailures scope = 'f'
)

// scopes are several, one byte each.
type scopes string

// bucketKey names a bucket: its scope, the account and, where the scope is
// narrower, a name.
type bucketKey struct {
	scope         scope
	account, name string
}

func (p purchase) key(s scope) bucketKey {
	switch s {
	case scopeDomain:
		return bucketKey{s, p.account, p.domain}
	case scopeHost, scopeFailures:
		return bucketKey{s, p.account, p.name}
	}
	return bucketKey{scope: s, account: p.account}
}

// MarshalText is the key in the store. Neither accounts nor names have blanks.
func (k bucketKey) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%c %s %s", k.scope, k.account, k.name), nil
}

// UnmarshalText reads what MarshalText wrote.
func (k *bucketKey) UnmarshalText(text []byte) error {
	parts := strings.Split(string(text), " ")
	if len(parts) != 3 || len(parts[0]) != 1 {
		return fmt.Errorf("%q is no name of a bucket", text)
	}
	*k = bucketKey{scope(parts[0][0]), parts[1], parts[2]}
	return nil
}

// pays lists the buckets that a price takes a token from. One of failed
// validations is taken in advance and returned by success, so that a process
// that is killed in between has counted it.
func (p price) pays() scopes {
	switch p {
	case priceInvited:
		return "f"
	case priceEarly:
		return "fh"
	case priceRenewal:
		return "fha"
	case priceNew:
		return "fhda"
	}
	return ""
}

// takes reports whether a price takes from the bucket of a scope.
func (p price) takes(s scope) bool { return strings.IndexByte(string(p.pays()), byte(s)) >= 0 }

// everyScope is asked whether the authority sent us away, whatever is paid.
const everyScope scopes = "adh"

// registeredDomain is what somebody bought at a registry, by the public suffix
// list: limits count by it. A name that is itself a suffix stands for itself.
func registeredDomain(name string) string {
	name = strings.TrimPrefix(name, "*.")
	domain, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return name
	}
	return domain
}

// budget holds what may be asked of authorities, and what has been. It is kept
// over restarts: commit stores what was taken before an order is placed.
type budget struct {
	store store.Store
	log   *slog.Logger

	mu     sync.Mutex
	limits tlsconfig.Budget
	shards [budgetShards + 1]map[bucketKey]bucket
	taken  [budgetShards + 1]uint64 // counts changes

	saving [budgetShards + 1]chan struct{} // held while a blob is written; taken before mu
	saved  [budgetShards + 1]uint64        // the change that was stored last; guarded by saving
}

func newBudget(s store.Store, log *slog.Logger) *budget {
	b := &budget{store: s, log: log}
	for i := range b.shards {
		b.shards[i] = make(map[bucketKey]bucket)
		b.saving[i] = make(chan struct{}, 1)
	}
	return b
}

// setLimits changes the rates. What was taken stays taken.
func (b *budget) setLimits(l tlsconfig.Budget) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = l
}

// rate is that of the buckets of a scope.
func (b *budget) rate(s scope) rate {
	r := b.limits.Orders
	switch s {
	case scopeDomain:
		r = b.limits.Domain
	case scopeHost:
		r = b.limits.Host
	case scopeFailures:
		r = b.limits.Failures
	}
	return rate{r.Count, time.Duration(r.Per)}
}

// shardOf puts the buckets of a domain and of all its hosts into one blob.
func (p purchase) shardOf(s scope) int {
	if s == scopeAccount {
		return accountShard
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(p.domain))
	return int(h.Sum32() % budgetShards)
}

// get returns a bucket, mended.
func (b *budget) get(p purchase, s scope, now int64) bucket {
	one := b.shards[p.shardOf(s)][p.key(s)]
	if one.heal(now) {
		b.set(p, s, one)
	}
	return one
}

func (b *budget) set(p purchase, s scope, one bucket) {
	i := p.shardOf(s)
	b.shards[i][p.key(s)] = one
	b.taken[i]++
}

// rewound mends all buckets after the clock went back.
func (b *budget) rewound(now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, shard := range b.shards {
		for id, one := range shard {
			if one.heal(now) {
				shard[id] = one
				b.taken[i]++
			}
		}
	}
}

// next returns when an order can be paid for, now at the earliest, and what it
// waits for.
func (b *budget) next(p purchase, now int64) (at int64, why scope) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.nextLocked(p, now)
}

func (b *budget) nextLocked(p purchase, now int64) (at int64, why scope) {
	at = now
	for _, x := range p.price.pays() {
		s := scope(x)
		if t := b.get(p, s, now).next(b.rate(s), now); t > at {
			at, why = t, s
		}
	}
	for _, x := range everyScope {
		s := scope(x)
		if t := b.get(p, s, now).Shut; t > at {
			at, why = t, s
		}
	}
	return at, why
}

// accountNext is next for the account alone.
func (b *budget) accountNext(account string, pays bool, now int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.get(purchase{account: account}, scopeAccount, now)
	if !pays {
		return max(now, one.Shut)
	}
	return one.next(b.rate(scopeAccount), now)
}

// reserve takes what an order costs, if all of it is there.
func (b *budget) reserve(p purchase, now int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at, _ := b.nextLocked(p, now); at > now {
		return false
	}
	for _, x := range p.price.pays() {
		s := scope(x)
		one := b.get(p, s, now)
		one.take(b.rate(s), now)
		b.set(p, s, one)
	}
	return true
}

// release returns what was reserved for an order that was never placed.
func (b *budget) release(p purchase) { b.giveBack(p, p.price.pays()) }

// succeeded returns the token of a failure that did not happen.
func (b *budget) succeeded(p purchase) {
	if p.price != pricePaid {
		b.giveBack(p, "f")
	}
}

func (b *budget) giveBack(p purchase, list scopes) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, x := range list {
		s := scope(x)
		one := b.shards[p.shardOf(s)][p.key(s)]
		one.giveBack(b.rate(s))
		b.set(p, s, one)
	}
}

// limited empties a bucket until an instant, because the authority said so.
func (b *budget) limited(p purchase, s scope, now, until int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.get(p, s, now)
	one.shut(now, until)
	b.set(p, s, one)
}

// commit stores what was taken from the buckets of an order. When it returns
// nil, neither a kill nor a restart makes anybody forget it. Calls that wait
// for one another share one write.
func (b *budget) commit(ctx context.Context, p purchase, now int64) error {
	for _, s := range []scope{scopeHost, scopeAccount} {
		if err := b.commitShard(ctx, p.shardOf(s), now); err != nil {
			return err
		}
	}
	return nil
}

// commitAll stores everything that is not stored yet.
func (b *budget) commitAll(ctx context.Context, now int64) error {
	for i := range b.shards {
		if err := b.commitShard(ctx, i, now); err != nil {
			return err
		}
	}
	return nil
}

func (b *budget) commitShard(ctx context.Context, i int, now int64) error {
	select {
	case b.saving[i] <- struct{}{}:
		defer func() { <-b.saving[i] }()
	case <-ctx.Done():
		return ctx.Err()
	}
	b.mu.Lock()
	version := b.taken[i]
	if version == b.saved[i] {
		b.mu.Unlock()
		return nil
	}
	for id, one := range b.shards[i] {
		if one.idle(now) {
			delete(b.shards[i], id)
		}
	}
	text, err := json.Marshal(b.shards[i])
	b.mu.Unlock()
	if err != nil {
		return fmt.Errorf("write the budget: %w", err)
	}
	if err := b.store.Put(ctx, budgetKey(i), text); err != nil {
		return fmt.Errorf("store the budget, without which no order is placed: %w", err)
	}
	b.saved[i] = version
	return nil
}

func budgetKey(i int) string {
	if i == accountShard {
		return budgetPrefix + "accounts"
	}
	return fmt.Sprintf("%s%02d", budgetPrefix, i)
}

// load reads what was taken before. A damaged blob is set aside: at worst the
// authority then says itself what is left.
func (b *budget) load(ctx context.Context) error {
	for i := range b.shards {
		key := budgetKey(i)
		text, err := store.ReadOrSetAside(ctx, b.store, b.log, key)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read the budget: %w", err)
		}
		shard := make(map[bucketKey]bucket)
		if err := json.Unmarshal(text, &shard); err != nil {
			cause := &store.DamagedError{Key: key, Why: err.Error()}
			if err := store.SetAsideDamaged(ctx, b.store, b.log, key, cause); err != nil {
				return err
			}
			continue
		}
		b.mu.Lock()
		b.shards[i] = shard
		b.mu.Unlock()
	}
	return nil
}
