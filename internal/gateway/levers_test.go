package gateway

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"gatehouse/internal/admin"
	"gatehouse/internal/metrics"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
	"gatehouse/tenancy"
)

func suspendAcme(l *tenancy.Levers) error {
	l.Suspended = map[string]tenancy.Order{"acme": {By: "uid 0", At: time.Unix(1, 0).UTC(), Why: "a test"}}
	l.Blocks = append(l.Blocks, tenancy.BlockOrder{Prefix: netip.MustParsePrefix("203.0.113.0/28"), Order: tenancy.Order{Until: time.Now().Add(time.Hour).UTC()}})
	return nil
}

// TestLeverBookKeeps: what is ordered while the state folder takes nothing is
// held, said not to be kept, and kept once the folder takes it.
func TestLeverBookKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blobs := &storetest.Failing{Store: store.NewMem()}
		var log transcript
		b := newLeverBook(blobs, log.logger())
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); b.run(ctx) }()
		blobs.Fail(errors.New("no space left on device"))
		n, err := b.change(time.Now(), suspendAcme)
		must(t, err)
		if err := b.wait(ctx, n); err == nil {
			t.Error("an order counts as kept that no store has")
		}
		if _, ok := b.orders().Suspended["acme"]; !ok {
			t.Error("the order is not in force")
		}
		blobs.Fail(nil)
		time.Sleep(leversRetryTime + time.Second)
		must(t, b.wait(ctx, n))
		wantContains(t, log.String(), "is in force and not kept", "is kept again")
		end()
		<-ended
		next := newLeverBook(blobs, quiet())
		must(t, next.load(t.Context()))
		if diff := cmp.Diff(b.orders(), next.orders(), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
			t.Errorf("the next process reads something else: %s", diff)
		}
		// What ended a day ago goes with the next change.
		time.Sleep(26 * time.Hour)
		_, err = next.change(time.Now(), func(*tenancy.Levers) error { return nil })
		must(t, err)
		if held := next.orders(); len(held.Blocks) != 0 || len(held.Suspended) != 1 {
			t.Errorf("%+v is held", held)
		}
	})
}

// TestLeverBookWithoutCopy: what the book has is not called unkept because the
// copy, and then everything, cannot be written.
func TestLeverBookWithoutCopy(t *testing.T) {
	t.Parallel()
	sound := suspended(t, "acme")
	full := errors.New("no space left on device")
	for name, begin := range map[string]func(b *leverBook, blobs *noCopy){
		"ordered": func(b *leverBook, blobs *noCopy) {
			n, err := b.change(time.Now(), suspendAcme)
			must(t, err)
			b.write(t.Context())
			must(t, b.wait(t.Context(), n))
		},
		"read": func(b *leverBook, blobs *noCopy) {
			must(t, blobs.Put(t.Context(), leversKey, []byte(sound)))
			must(t, b.load(t.Context()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := &storetest.Failing{Store: store.NewMem()}
			blobs := &noCopy{disk, full}
			var log transcript
			b := newLeverBook(blobs, log.logger())
			begin(b, blobs)
			disk.Fail(full)
			for range 3 {
				if b.write(t.Context()) {
					t.Error("it is said to be kept twice")
				}
			}
			if notes := b.notes(); len(notes) > 0 || strings.Contains(log.String(), "level=ERROR") {
				t.Errorf("notes %q, log %s", notes, log.String())
			}
			if n := strings.Count(log.String(), "the copy of what operators have ordered is not kept"); n != 1 {
				t.Errorf("logged %d times: %s", n, log.String())
			}
			disk.Fail(nil)
			blobs.full = nil
			wantBoth(t, b, disk)
		})
	}
}

// noCopy is a store that has room for all but the copy of orders.
type noCopy struct {
	store.Store
	full error
}

func (n *noCopy) Put(ctx context.Context, key string, value []byte) error {
	if key == leversCopyKey && n.full != nil {
		return n.full
	}
	return n.Store.Put(ctx, key, value)
}

// TestLeverBookWaitsForItsOwn: an order is kept or not by its own write, whatever
// became of the one before.
func TestLeverBookWaitsForItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blobs := &storetest.Failing{Store: store.NewMem()}
		b := newLeverBook(blobs, quiet())
		blobs.Fail(errors.New("no space left on device"))
		first, err := b.change(time.Now(), suspendAcme)
		must(t, err)
		b.write(t.Context())
		if err := b.wait(t.Context(), first); err == nil || err.Error() != "no space left on device" {
			t.Errorf("the first is said to be kept: %v", err)
		}
		wantContains(t, strings.Join(b.notes(), "\n"), "in force and not kept since ", "no space left on device")
		blobs.Fail(nil)
		second, err := b.change(time.Now(), suspendAcme)
		must(t, err)
		go func() {
			time.Sleep(time.Second)
			b.write(t.Context())
		}()
		if err := b.wait(t.Context(), second); err != nil {
			t.Errorf("the second is said not to be kept: %v", err)
		}
		if notes := b.notes(); len(notes) > 0 {
			t.Errorf("notes once all is kept: %q", notes)
		}
	})
}

// TestLeverBookOfAClockAhead: what is ordered while the clock is ahead drops
// nothing that holds once it is right again, unless there is no room.
func TestLeverBookOfAClockAhead(t *testing.T) {
	t.Parallel()
	nothing := func(*tenancy.Levers) error { return nil }
	b := newLeverBook(store.NewMem(), quiet())
	_, err := b.change(time.Now(), suspendAcme)
	must(t, err)
	ahead := time.Now().Add(12 * time.Hour)
	_, err = b.change(ahead, nothing)
	must(t, err)
	if n := len(b.orders().Blocks); n != 1 || len(inForce(b.orders(), ahead).Blocks) != 0 {
		t.Errorf("%d blocks are held", n)
	}
	_, err = b.change(time.Now(), func(l *tenancy.Levers) error {
		l.Blocks = slices.Repeat(l.Blocks, blocksMax)
		return nil
	})
	must(t, err)
	_, err = b.change(ahead, nothing)
	must(t, err)
	if n := len(b.orders().Blocks); n != 0 {
		t.Errorf("%d blocks that have ended leave no room", n)
	}
}

// TestLeverBookBound: no order makes more than the state takes, and one that
// takes orders back is taken.
func TestLeverBookBound(t *testing.T) {
	t.Parallel()
	b := newLeverBook(store.NewMem(), quiet())
	suspend := func(why int) error {
		_, err := b.change(time.Now(), func(l *tenancy.Levers) error {
			l.Suspended = map[string]tenancy.Order{"acme": {Why: strings.Repeat("<", why)}}
			return nil
		})
		return err
	}
	must(t, suspend(1))
	if err := suspend(leversBytesMax); err == nil || len(b.orders().Suspended["acme"].Why) != 1 {
		t.Errorf("more than the state takes is ordered: %v", err)
	}
	b.text = make([]byte, store.MaxValueBytes) // as a former program has left it
	must(t, suspend(leversBytesMax))
	if !b.write(t.Context()) {
		t.Error("the state does not take it")
	}
}

// TestReadOrder is about what is refused whatever is served.
func TestReadOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		order admin.LeverOrder
		want  string // "" for fine
	}{
		{admin.LeverOrder{Lever: admin.Block, Of: "203.0.113.7", For: "24h", Why: "x"}, ""},
		{admin.LeverOrder{Lever: admin.Block, Of: "::ffff:203.0.113.7", For: "366d", Why: "x"}, ""},
		{admin.LeverOrder{Lever: admin.Block, Of: "2001::/19", For: "1h", Why: "x"}, "wider than a /20"},
		{admin.LeverOrder{Lever: admin.Block, Of: "acme", For: "1h", Why: "x"}, "acme"},
		{admin.LeverOrder{Lever: admin.Block, Of: "203.0.113.7", For: "1h", Why: " "}, "needs a reason"},
		{admin.LeverOrder{Lever: admin.Block, Of: "203.0.113.7", For: "1h", Why: "x\n\x1b[2J"}, "one line"},
		{admin.LeverOrder{Lever: admin.Block, Of: "203.0.113.7", For: "1h", Why: "x\xff"}, "one line"},
		{admin.LeverOrder{Lever: admin.Block, Of: "203.0.113.7", For: "1", Why: "x"}, "has no unit"},
		{admin.LeverOrder{Lever: admin.Block, Of: "203.0.113.7", For: "367d", Why: "x"}, "no time for an order"},
		{admin.LeverOrder{Lever: admin.Suspend, Of: "acme"}, "needs a reason"},
		{admin.LeverOrder{Lever: admin.Suspend, Of: "acme", Why: "x"}, ""},
		{admin.LeverOrder{Lever: admin.MaintenanceOn, Of: "acme"}, ""},
		{admin.LeverOrder{Lever: "drop", Of: "acme"}, "no lever"},
	} {
		got := ""
		if err := CheckOrder(c.order); err != nil {
			got = err.Error()
		}
		if (got == "") != (c.want == "") {
			t.Errorf("%+v: %q, want %q", c.order, got, c.want)
		}
		wantContains(t, got, c.want)
	}
}

// TestLeversBesideFiles: an order makes another generation of what is in use,
// leaves tenants as they are, and holds over every reload and without one.
func TestLeversBesideFiles(t *testing.T) {
	h := build(t, tree(t, "gatehouse.yaml", mainText, "tenants/acme.yaml", acmeText))
	enforce := func(o admin.LeverOrder) admin.LeverDone {
		t.Helper()
		p, err := readOrder(o)
		must(t, err)
		done, _, err := h.enforce(&p, "uid 0")
		must(t, err)
		return done
	}
	verdict := func() string {
		t.Helper()
		e, err := explain(h.current.Load().table, admin.ExplainQuery{URL: "https://acme.example/", From: "203.0.113.5"})
		must(t, err)
		return e.Verdict
	}
	before := h.current.Load().table.Tenant("acme")
	suspend := admin.LeverOrder{Lever: admin.Suspend, Of: "acme", Why: "a test"}
	if done := enforce(suspend); done.Generation != 2 || verdict() != "refuse suspended" {
		t.Errorf("the order is %+v, the verdict %s", done, verdict())
	}
	if h.current.Load().table.Tenant("acme") != before {
		t.Error("the order makes another tenant")
	}
	if got := h.reload("uid 0"); !got.Unchanged || got.Generation != 2 {
		t.Errorf("a reload of the same files = %+v", got)
	}
	h.put("tenants/acme.yaml", strings.Replace(acmeText, "203.0.113.0/28", "203.0.113.0/29", 1)+"expect:\n  - {get: \"https://acme.example/\", from: 203.0.113.5, is: forward}\n")
	if got := h.reload("uid 0"); !got.Fine() || got.Generation != 3 || verdict() != "refuse suspended" {
		t.Errorf("a reload = %+v, the verdict %s", got, verdict())
	}
	h.put("gatehouse.yaml", "verson: 1\n")
	h.reload("uid 0")
	enforce(admin.LeverOrder{Lever: admin.Resume, Of: "acme"})
	enforce(admin.LeverOrder{Lever: admin.Block, Of: "203.0.113.0/24", For: "1h", Why: "a test"})
	if got := verdict(); got != "refuse blocked" {
		t.Errorf("beside a broken main file the verdict is %s", got)
	}
	if got, want := h.leverCounts(), (metrics.LeverCounts{metrics.LeverBlock: 1}); got != want {
		t.Errorf("counted are %v, want %v", got, want)
	}
	if list := h.leverStatus(); len(list) != 1 || list[0].Of != "203.0.113.0/24" || list[0].By != "uid 0" || list[0].Until.IsZero() {
		t.Errorf("in force are %+v", list)
	}
}

// TestReadDrained is about how a tenant or backend may be written.
func TestReadDrained(t *testing.T) {
	t.Parallel()
	for of, want := range map[string]string{
		"acme":                          "acme",
		"acme/10.4.1.10:8080":           "acme/10.4.1.10:8080",
		"acme/https://App.example:8":    "acme/app.example:8",
		"acme/http://[2001:db8::1]:80/": "acme/[2001:db8::1]:80",
		"/10.4.1.10:8080":               "",
		"acme/":                         "",
		"":                              "",
	} {
		p, err := readOrder(admin.LeverOrder{Lever: admin.Drain, Of: of})
		if want == "" {
			if err == nil {
				t.Errorf("%q is read as %q of %q", of, p.backend, p.tenant)
			}
			continue
		}
		if err != nil || p.Of != want {
			t.Errorf("%q is read as %q, %v, want %q", of, p.Of, err, want)
		}
	}
}
