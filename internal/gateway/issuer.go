package gateway

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
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

	ca     atomic.Pointer[localca.CA] // nil until it is needed
	keeper *localca.Keeper            // belongs to who calls setNames
	parts  *sync.WaitGroup            // counts what was started
}

// setNames makes names the hosts that leaves are held for. The leaves are
// published before it returns. It is called by one goroutine at a time; ctx
// ends what it starts.
func (i *issuer) setNames(ctx context.Context, names []string) error {
	if i.keeper == nil {
		if len(names) == 0 {
			return nil
		}
		ca, err := localca.Open(ctx, i.blobs, i.log, time.Now)
		if err != nil {
			return fmt.Errorf("internal CA: %w", err)
		}
		i.ca.Store(ca)
		i.keeper = localca.NewKeeper(ca, i.log, i.publish)
		i.parts.Go(func() { _ = i.keeper.Run(ctx) }) // ends with its context alone
	}
	return i.keeper.SetNames(ctx, names)
}

// rootPEM returns the root certificate, nil while the CA is not used.
func (i *issuer) rootPEM() []byte {
	if ca := i.ca.Load(); ca != nil {
		return ca.RootPEM()
	}
	return nil
}
