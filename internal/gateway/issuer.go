package gateway

import (
	"context"
	"crypto/tls"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatehouse/internal/localca"
	"gatehouse/internal/store"
)

// issuer is the internal CA, opened when the first host needs it: a root that
// nobody uses is never made.
type issuer struct {
	blobs   store.Store
	log     *slog.Logger
	publish func([]*tls.Certificate)
	parts   *sync.WaitGroup // counts what was started

	ca atomic.Pointer[localca.CA] // nil until it is needed

	// What follows belongs to whoever calls setNames.
	keeper *localca.Keeper
	names  []string // that the keeper was given last
}

// setNames makes names the hosts that leaves are held for. The leaves are
// published before it returns. Its error means that the CA could not be opened
// and that no name has a leaf; a name that alone gets none is logged, and tried
// again with the next renewal. It is called by one goroutine at a time; ctx ends
// what it starts.
func (i *issuer) setNames(ctx context.Context, names []string) error {
	if i.keeper == nil {
		if len(names) == 0 {
			return nil
		}
		ca, err := localca.Open(ctx, i.blobs, i.log, time.Now)
		if err != nil {
			return err
		}
		i.ca.Store(ca)
		i.keeper = localca.NewKeeper(ca, i.log, i.publish)
		i.parts.Go(func() { _ = i.keeper.Run(ctx) }) // ends with its context alone
	}
	if slices.Equal(names, i.names) {
		return nil
	}
	i.names = names
	if err := i.keeper.SetNames(ctx, names); err != nil {
		i.log.Error("the internal CA has no leaf for some hosts; they are refused until it has", "err", err)
	}
	return nil
}

// rootPEM returns the root certificate, nil while the CA is not used.
func (i *issuer) rootPEM() []byte {
	if ca := i.ca.Load(); ca != nil {
		return ca.RootPEM()
	}
	return nil
}
