package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"gatehouse/internal/admin"
	"gatehouse/internal/conf"
)

// rotateRequest asks the goroutine of the keys for a rotation.
type rotateRequest struct {
	actor  string
	answer chan<- rotateAnswer // holds one
}

type rotateAnswer struct {
	done admin.KeysRotated
	err  error
}

// rotateKeys asks for a rotation and waits for its end. It goes on when ctx
// ends: whoever lost a terminal asks `gatehouse keys`.
func (g *gateway) rotateKeys(ctx context.Context, actor string) (admin.KeysRotated, error) {
	if now := g.state.keys.progress.Load(); now != nil {
		return admin.KeysRotated{}, fmt.Errorf("a rotation is under way: %d of %d blobs", now.Looked, now.Blobs)
	}
	answer := make(chan rotateAnswer, 1)
	select {
	case g.rotations <- rotateRequest{actor, answer}:
	case <-ctx.Done():
		return admin.KeysRotated{}, ctx.Err()
	case <-g.leaving:
		return admin.KeysRotated{}, errors.New("the process is going down; nothing is rotated any more")
	}
	select {
	case a := <-answer:
		return a.done, a.err
	case <-ctx.Done():
		return admin.KeysRotated{}, ctx.Err()
	}
}

// keysLoop is the only goroutine that rotates keys. It ends with ctx; a rotation
// that is under way then is gone on with by the next.
func (g *gateway) keysLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-g.rotations:
			done, err := g.rotateOnce(ctx, r.actor)
			r.answer <- rotateAnswer{done, err}
		}
	}
}

// rotateOnce rotates, and records who had it done and what came of it.
func (g *gateway) rotateOnce(ctx context.Context, actor string) (admin.KeysRotated, error) {
	// What `seal` names now: the main file may have been written a moment ago.
	reader, report := newLoader(g.options.Config, toExplain), new(conf.Report)
	config, _, err := reader.main(report)
	if err == nil && report.Faults() > 0 {
		err = fmt.Errorf("which key to use cannot be told: %w", faultsError(report.Findings()))
	}
	if err != nil {
		g.log.ErrorContext(ctx, "rotation of the seal key refused", "actor", actor, "err", err)
		return admin.KeysRotated{}, err
	}
	g.log.InfoContext(ctx, "rotation of the seal key begins", "actor", actor)
	r, err := g.state.keys.rotate(ctx, reader.sealPlaces(config))
	attrs := []any{"actor", actor, "key", r.key.id, "blobs", r.done.Blobs, "sealed_anew", r.done.Sealed, "shut", r.done.Shut}
	if err != nil {
		g.log.ErrorContext(ctx, "rotation of the seal key stopped; everything opens as before: run gatehouse keys rotate again", append(attrs, "err", err)...)
		return admin.KeysRotated{}, fmt.Errorf("stopped after %d of %d blobs; everything opens as before, run it again once this is mended: %w", r.done.Looked, r.done.Blobs, err)
	}
	now := sealed(config)
	g.sealedWith.Store(&now)
	g.log.InfoContext(ctx, "rotation of the seal key done", attrs...)
	done := admin.KeysRotated{
		ID: r.key.id, Source: r.key.source, Blobs: r.done.Blobs, Sealed: r.done.Sealed, Shut: r.done.Shut,
		Names: nonNil(r.done.Names), Unused: []string{},
	}
	for _, h := range r.unused {
		done.Unused = append(done.Unused, h.source)
	}
	return done, nil
}

// keysProgress is how far a rotation is, nil while none is under way.
func (g *gateway) keysProgress() *admin.KeysProgress {
	now := g.state.keys.progress.Load()
	if now == nil {
		return nil
	}
	return &admin.KeysProgress{Done: now.Looked, Blobs: now.Blobs}
}

// keysStatus counts which key seals how many blobs.
func (g *gateway) keysStatus(ctx context.Context) (admin.KeysStatus, error) {
	k := g.state.keys
	census, err := k.blobs.Census(ctx)
	if err != nil {
		return admin.KeysStatus{}, fmt.Errorf("state %s: %w", k.dir, err)
	}
	s := admin.KeysStatus{
		Protection: k.protection(), Keys: []admin.KeyStatus{}, Blobs: census.Blobs, Damaged: census.Damaged,
		Rotation: g.keysProgress(),
	}
	chain := *k.chain.Load()
	for i, h := range chain {
		role := "opens"
		if i == 0 {
			role = "seals"
		}
		s.Keys = append(s.Keys, admin.KeyStatus{ID: h.id, Role: role, Source: h.source, Blobs: census.ByKey[h.id]})
		delete(census.ByKey, h.id)
	}
	for id, n := range census.ByKey {
		s.Keys = append(s.Keys, admin.KeyStatus{ID: id, Role: "missing", Blobs: n})
	}
	slices.SortFunc(s.Keys[len(chain):], func(a, b admin.KeyStatus) int { return cmp.Compare(a.ID, b.ID) })
	return s, nil
}
