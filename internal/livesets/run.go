package livesets

import (
	"context"
	"sync"
	"time"
)

const (
	// publishEvery is how long a change waits for others at the most: whoever is
	// not listed any more is cut within a second.
	publishEvery = 300 * time.Millisecond
	// idleTime is how long nothing is looked at where nothing is due.
	idleTime = time.Hour
)

// run is what Run alone knows.
type run struct {
	*Keeper
	places    places
	questions sync.WaitGroup
	published time.Time
}

// Run asks the sources until ctx ends. What is not stored then is stored before
// it returns; its error is nil.
func (k *Keeper) Run(ctx context.Context) error {
	r := &run{Keeper: k}
	var parts sync.WaitGroup
	parts.Go(func() { k.saver.run(ctx) })
	defer parts.Wait()
	defer r.questions.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.woken:
		case <-timer.C:
		}
		timer.Reset(r.step(ctx, time.Now()))
	}
}

// step does what is due, and returns when to look again unless woken.
func (r *run) step(ctx context.Context, now time.Time) time.Duration {
	wait, news := r.askDue(ctx, now)
	if !news {
		return wait
	}
	if soonest := r.published.Add(publishEvery).Sub(now); soonest > 0 {
		return min(wait, soonest)
	}
	r.options.Publish()
	r.published = time.Now()
	return wait
}

// askDue starts the questions that are due and may be put. It returns how long
// nothing else is, and whether there is something to publish.
func (r *run) askDue(ctx context.Context, now time.Time) (wait time.Duration, news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wait = idleTime
	for _, e := range r.entries {
		if e.expire(now) {
			r.live, r.news = nil, true
			r.tellFailure(e, now)
		}
		if e.contents != nil && !e.past {
			wait = min(wait, e.expires().Sub(now))
		}
		switch {
		case e.asking:
		case e.due.After(now):
			wait = min(wait, e.due.Sub(now))
		case r.places.enter(e.source.Owner):
			e.asking = true
			r.put(ctx, e)
		}
	}
	return max(wait, time.Millisecond), r.news
}

// put asks a source on a goroutine of its own. The caller holds mu.
func (r *run) put(ctx context.Context, e *entry) {
	s, mark := e.source, e.mark
	r.questions.Go(func() {
		got, err := r.asker.ask(ctx, s, mark)
		r.places.leave(s.Owner)
		if ctx.Err() == nil {
			r.done(e, s, got, err)
		}
	})
}

const (
	// askedAtOnceMax bounds the questions under way. Each takes half a minute at
	// the most.
	askedAtOnceMax = 32
	// askedOfTenantMax is a tenant's part of them, so that one whose sources hang
	// delays itself.
	askedOfTenantMax = 2
	// askedOfMainMax is that of the main file.
	askedOfMainMax = 16
)

// places are taken by questions under way. The zero value is ready.
type places struct {
	mu    sync.Mutex
	taken map[string]int // by owner
	all   int
}

// enter takes a place for an owner, if there is one. Whoever finds none is
// looked at again when another question is done.
func (p *places) enter(owner string) bool {
	most := askedOfTenantMax
	if owner == "" {
		most = askedOfMainMax
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all >= askedAtOnceMax || p.taken[owner] >= most {
		return false
	}
	if p.taken == nil {
		p.taken = make(map[string]int)
	}
	p.all++
	p.taken[owner]++
	return true
}

func (p *places) leave(owner string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.taken[owner]--; p.taken[owner] == 0 {
		delete(p.taken, owner)
	}
}
