package localca

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"gatehouse/internal/store"
)

const leavesPrefix = "ca/leaves/"

// shard numbers the blob that a leaf rests in. One blob for each leaf would
// cost a sync of the disk each; one for all would be written anew for each. At
// 100,000 names a shard has 400 leaves and half a MiB.
type shard byte

func shardOf(name string) shard {
	sum := sha256.Sum256([]byte(name))
	return shard(sum[0])
}

func (s shard) key() string { return leavesPrefix + hex.EncodeToString([]byte{byte(s)}) }

// cache is the store's copy of a Keeper's leaves. Losing it costs the work of
// issuing them again and nothing else, so no failure here is more than logged.
// But for write, the Keeper's lock is held around each method.
type cache struct {
	ca     *CA
	log    *slog.Logger
	loaded bool
	stale  map[shard]bool // what the store holds is not what the Keeper holds
}

func newCache(ca *CA, log *slog.Logger) cache {
	return cache{ca: ca, log: log, stale: make(map[shard]bool)}
}

// touch notes that the leaf of name changed.
func (c *cache) touch(name string) { c.stale[shardOf(name)] = true }

// load returns, once, the stored leaves of names (which are sorted) that still
// serve. Later calls return nothing.
func (c *cache) load(ctx context.Context, names []string) map[string]*tls.Certificate {
	if c.loaded {
		return nil
	}
	c.loaded = true
	keys, err := c.ca.store.List(ctx, leavesPrefix)
	if err != nil {
		c.log.WarnContext(ctx, "leaves of the internal CA are not read, new ones are issued", "cause", err)
		return nil
	}
	leaves := make(map[string]*tls.Certificate)
	for _, key := range keys {
		for _, pair := range c.read(ctx, key) {
			name := nameOf(pair)
			_, wanted := slices.BinarySearch(names, name)
			if leaf := c.usable(pair); leaf != nil && wanted && shardOf(name).key() == key {
				leaves[name] = leaf
				continue
			}
			c.touchKey(key)
		}
	}
	return leaves
}

// read returns the pairs of one shard, none where it is damaged.
func (c *cache) read(ctx context.Context, key string) []authority {
	text, err := store.ReadOrSetAside(ctx, c.ca.store, c.log, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		c.log.WarnContext(ctx, "leaves of the internal CA are not read, new ones are issued", "cause", err)
		return nil
	}
	pairs, err := parsePairs(text)
	if err != nil {
		cause := &store.DamagedError{Key: key, Why: err.Error()}
		if err := store.SetAsideDamaged(ctx, c.ca.store, c.log, key, cause); err != nil {
			c.log.WarnContext(ctx, "leaves of the internal CA are not read, new ones are issued", "cause", err)
		}
		return nil
	}
	return pairs
}

// touchKey notes that the shard of key holds what it should not.
func (c *cache) touchKey(key string) {
	number, err := hex.DecodeString(strings.TrimPrefix(key, leavesPrefix))
	if err == nil && len(number) == 1 {
		c.stale[shard(number[0])] = true
	}
}

// usable returns the leaf of pair if it serves and the present intermediate
// made it. Its signature is not computed again: that costs as much as issuing,
// and whoever can write to the store can write the intermediate's key too.
func (c *cache) usable(pair authority) *tls.Certificate {
	issuer := c.ca.current.Load().intermediate
	if pair.cert.IsCA || !serves(pair.cert, c.ca.now()) ||
		!bytes.Equal(pair.cert.RawIssuer, issuer.cert.RawSubject) ||
		!bytes.Equal(pair.cert.AuthorityKeyId, issuer.cert.SubjectKeyId) {
		return nil
	}
	return leafCertificate(&pair, issuer)
}

// nameOf returns the one name of a leaf, or "".
func nameOf(pair authority) string {
	cert := pair.cert
	switch {
	case len(cert.DNSNames) == 1 && len(cert.IPAddresses) == 0:
		return cert.DNSNames[0]
	case len(cert.DNSNames) == 0 && len(cert.IPAddresses) == 1:
		return cert.IPAddresses[0].String()
	}
	return ""
}

// takeStale returns, by shard, the leaves that are to be written, and counts
// them as written.
func (c *cache) takeStale(leaves map[string]*tls.Certificate) map[shard][]*tls.Certificate {
	work := make(map[shard][]*tls.Certificate, len(c.stale))
	if len(c.stale) == 0 {
		return work
	}
	for s := range c.stale {
		work[s] = nil
	}
	for name, leaf := range leaves {
		if s := shardOf(name); c.stale[s] {
			work[s] = append(work[s], leaf)
		}
	}
	clear(c.stale)
	return work
}

// putBack counts shards as not written.
func (c *cache) putBack(shards []shard) {
	for _, s := range shards {
		c.stale[s] = true
	}
}

// write stores work and returns what it did not get to. It stops at the first
// failure: a disk that is full for one shard is full for the next. It touches
// nothing that the lock guards.
func (c *cache) write(ctx context.Context, work map[shard][]*tls.Certificate) (left []shard, err error) {
	for s, leaves := range work {
		if err == nil {
			err = c.writeShard(ctx, s, leaves)
		}
		if err != nil {
			left = append(left, s)
		}
	}
	return left, err
}

func (c *cache) writeShard(ctx context.Context, s shard, leaves []*tls.Certificate) error {
	if len(leaves) == 0 {
		return c.ca.store.Delete(ctx, s.key())
	}
	var text []byte
	for _, leaf := range leaves {
		key, ok := leaf.PrivateKey.(*ecdsa.PrivateKey)
		if !ok {
			return fmt.Errorf("leaf for %q: its key is a %T", leaf.Leaf.Subject.CommonName, leaf.PrivateKey)
		}
		var err error
		if text, err = appendPair(text, leaf.Leaf.Raw, key); err != nil {
			return err
		}
	}
	return c.ca.store.Put(ctx, s.key(), text)
}
