package gateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatehouse/internal/conf"
	"gatehouse/internal/store"
	"gatehouse/internal/store/storetest"
)

// chest is a state folder whose keys are turned: its store outlives "processes".
type chest struct {
	dir string
	mem *store.Mem
}

func newChest(t *testing.T) *chest { return &chest{t.TempDir(), store.NewMem()} }

// writeKey writes a key of a seed's own into a file and returns its name.
func (c *chest) writeKey(t *testing.T, name string, seed byte) string {
	t.Helper()
	key := make([]byte, store.KeyBytes)
	for i := range key {
		key[i] = byte(i) + seed
	}
	put(t, c.dir, name, hex.EncodeToString(key)+"\n")
	return name
}

// named is `seal` with these files.
func (c *chest) named(files ...string) *sealPlaces {
	p := &sealPlaces{base: c.dir}
	for _, name := range files {
		p.secrets = append(p.secrets, conf.At[conf.Secret]{V: conf.Secret{File: at(name)}, Pos: conf.Pos{File: "f", Line: 1, Col: 1}})
	}
	return p
}

// open opens the chain as a start does, on inner in place of the store itself.
func (c *chest) open(inner store.Store, places *sealPlaces) (*keychain, error) {
	return openKeychain(context.Background(), inner, c.dir, places, quiet())
}

// wantAll wants a start with these places to find every value.
func (c *chest) wantAll(t *testing.T, when string, places *sealPlaces, values map[string]string) *keychain {
	t.Helper()
	k, err := c.open(c.mem, places)
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	for name, want := range values {
		if got, err := k.blobs.Get(t.Context(), name); err != nil || string(got) != want {
			t.Errorf("%s: %s is %q, %v; want %q", when, name, got, err, want)
		}
	}
	return k
}

var treasures = map[string]string{"acme/certs/a.example": "key of a", "ca/root": "root", "tenants/acme": "text"}

// fill puts the treasures in.
func fill(t *testing.T, k *keychain) {
	t.Helper()
	for name, value := range treasures {
		must(t, k.blobs.Put(t.Context(), name, []byte(value)))
	}
}

// turns are the ways in which an operator changes keys: how the state is begun,
// and what is there when the rotation is asked for.
var turns = map[string]func(t *testing.T, c *chest) (before, after *sealPlaces){
	"new in front of old": func(t *testing.T, c *chest) (before, after *sealPlaces) {
		c.writeKey(t, "old", 1)
		c.writeKey(t, "new", 2)
		return c.named("old"), c.named("new", "old")
	},
	"new in place of old": func(t *testing.T, c *chest) (before, after *sealPlaces) {
		c.writeKey(t, "old", 1)
		c.writeKey(t, "new", 2)
		return c.named("old"), c.named("new")
	},
	"self-made": func(*testing.T, *chest) (before, after *sealPlaces) {
		return &sealPlaces{}, &sealPlaces{}
	},
	"self-made to named": func(t *testing.T, c *chest) (before, after *sealPlaces) {
		c.writeKey(t, "new", 2)
		return &sealPlaces{}, c.named("new")
	},
	"named to self-made": func(t *testing.T, c *chest) (before, after *sealPlaces) {
		c.writeKey(t, "old", 1)
		return c.named("old"), &sealPlaces{}
	},
}

func TestRotate(t *testing.T) {
	for name, turn := range turns {
		t.Run(name, func(t *testing.T) {
			c := newChest(t)
			before, after := turn(t, c)
			k, err := c.open(c.mem, before)
			must(t, err)
			fill(t, k)
			former := (*k.chain.Load())[0].id
			r, err := k.rotate(t.Context(), after)
			must(t, err)
			if r.key.id == former || r.done.Shut != 0 || r.done.Sealed < len(treasures)+1 {
				t.Errorf("rotate = %+v", r)
			}
			census, err := k.blobs.Census(t.Context())
			must(t, err)
			if len(census.ByKey) != 1 || census.ByKey[r.key.id] != len(treasures)+1 {
				t.Errorf("after it: %+v; want all under %s", census, r.key.id)
			}
			next := c.wantAll(t, "after it", after, treasures)
			if got := (*next.chain.Load())[0].id; got != r.key.id {
				t.Errorf("the next start seals with %s, want %s", got, r.key.id)
			}
			wantNoTrace(t, c, after)
		})
	}
}

// wantNoTrace wants no former key to be left anywhere.
func wantNoTrace(t *testing.T, c *chest, after *sealPlaces) {
	t.Helper()
	names, err := c.mem.List(t.Context(), formerPrefix)
	if err != nil || len(names) > 0 {
		t.Errorf("kept: %q, %v", names, err)
	}
	files := map[string]bool{nextKeyFile: false, sealKeyFile: len(after.secrets) == 0}
	for name, want := range files {
		if _, err := os.Stat(filepath.Join(c.dir, name)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", name, err, want)
		}
	}
}

// TestRotateKilledAtEveryCall ends each way of rotating at each call of the
// store in turn. The start after it, with what `seal` names by then, finds every
// value, and a second rotation ends well.
func TestRotateKilledAtEveryCall(t *testing.T) {
	for name, turn := range turns {
		t.Run(name, func(t *testing.T) {
			calls := 0
			for killAt(t, turn, calls+1, false) {
				calls++
				killAt(t, turn, calls, true)
			}
			if calls < 2*len(treasures) {
				t.Errorf("a rotation makes %d calls; each value takes two", calls)
			}
		})
	}
}

// killAt reports whether the rotation got as far as the call.
func killAt(t *testing.T, turn func(*testing.T, *chest) (before, after *sealPlaces), call int, effect bool) bool {
	t.Helper()
	when := fmt.Sprintf("killed at call %d (with its effect: %v)", call, effect)
	c := newChest(t)
	before, after := turn(t, c)
	begun, err := c.open(c.mem, before)
	must(t, err)
	fill(t, begun)
	dying := &storetest.Dying{Store: c.mem, Calls: call, After: effect}
	k := reopened(t, begun, dying)
	_, err = k.rotate(t.Context(), after)
	if !dying.Dead() {
		must(t, err)
		return false
	}
	values := maps.Clone(treasures)
	if kept, _ := c.mem.List(t.Context(), formerPrefix); len(kept) == 0 && onlyFormerOpens(c, before, after) {
		// Nothing has begun yet: with the new key alone the start is refused, and
		// the former one opens everything, as it did before.
		if _, err := c.open(c.mem, after); err == nil || !strings.Contains(err.Error(), "put the former key back") {
			t.Errorf("%s: a start with the new key alone: %v", when, err)
		}
		c.wantAll(t, when, before, values)
		return true
	}
	again := c.wantAll(t, when, after, values)
	if _, err := again.rotate(t.Context(), after); err != nil {
		t.Errorf("%s: the second rotation: %v", when, err)
	}
	c.wantAll(t, when+", rotated again", after, values)
	wantNoTrace(t, c, after)
	return true
}

// onlyFormerOpens reports whether a start with the former places opens the state
// and one with the later does not.
func onlyFormerOpens(c *chest, before, after *sealPlaces) bool {
	_, beforeErr := c.open(c.mem, before)
	_, afterErr := c.open(c.mem, after)
	return beforeErr == nil && afterErr != nil
}

// reopened is the chain of a process, on another store.
func reopened(t *testing.T, k *keychain, inner store.Store) *keychain {
	t.Helper()
	chain := *k.chain.Load()
	blobs, err := store.Seal(inner, rawKeys(chain)...)
	must(t, err)
	again := &keychain{inner: inner, blobs: blobs, dir: k.dir, log: k.log}
	again.chain.Store(&chain)
	return again
}

// TestRotateTwice leaves two rotations unfinished, one upon the other, with each
// key written over the former one's file: all of them still open what they sealed.
func TestRotateTwice(t *testing.T) {
	c := newChest(t)
	c.writeKey(t, "key", 1)
	k, err := c.open(c.mem, c.named("key"))
	must(t, err)
	fill(t, k)
	for seed := byte(2); seed < 5; seed++ {
		c.writeKey(t, "key", seed)
		// The store dies once it has kept the former keys, listed the values and
		// taken back the first of them, sealed anew.
		kept := int(seed) - 1
		dying := &storetest.Dying{Store: c.mem, Calls: kept + 4}
		if _, err := reopened(t, k, dying).rotate(t.Context(), c.named("key")); err == nil {
			t.Fatal("the rotation was not interrupted")
		}
		k = c.wantAll(t, fmt.Sprintf("after key %d", seed), c.named("key"), treasures)
	}
	_, err = k.rotate(t.Context(), c.named("key"))
	must(t, err)
	c.wantAll(t, "at last", c.named("key"), treasures)
	wantNoTrace(t, c, c.named("key"))
}

func TestRotateRefusesAKeyThatIsNone(t *testing.T) {
	c := newChest(t)
	c.writeKey(t, "old", 1)
	k, err := c.open(c.mem, c.named("old"))
	must(t, err)
	fill(t, k)
	put(t, c.dir, "short", "abc\n")
	for _, places := range []*sealPlaces{c.named("short"), c.named("absent"), c.named("short", "old")} {
		if _, err := k.rotate(t.Context(), places); err == nil {
			t.Errorf("rotate takes %v", places.secrets)
		}
	}
	c.wantAll(t, "after refusals", c.named("old"), treasures)
	if k.progress.Load() != nil {
		t.Error("a refused rotation seems under way")
	}
}

// TestKeyIsMissing: a start without the key makes none beside what another one
// sealed, and goes well once the key is back.
func TestKeyIsMissing(t *testing.T) {
	c := newChest(t)
	k, err := c.open(c.mem, &sealPlaces{})
	must(t, err)
	fill(t, k)
	present, away := filepath.Join(c.dir, sealKeyFile), filepath.Join(c.dir, "away")
	must(t, os.Rename(present, away))
	_, err = c.open(c.mem, &sealPlaces{})
	wantContains(t, fmt.Sprint(err), "seal.key is missing", "(4 blobs)", "restore seal.key from a backup")
	if _, err := os.Stat(present); err == nil {
		t.Error("another key lies there")
	}
	must(t, os.Rename(away, present))
	c.wantAll(t, "with the key again", &sealPlaces{}, treasures)
}

func TestProtection(t *testing.T) {
	c := newChest(t)
	k, err := c.open(c.mem, &sealPlaces{})
	must(t, err)
	if got := k.protection(); got != "not protected" {
		t.Errorf("with a self-made key: %q", got)
	}
	c.writeKey(t, "new", 2)
	// A restart in place of a rotation: the self-made key still opens.
	k, err = c.open(c.mem, c.named("new"))
	must(t, err)
	if got := k.protection(); got != "not protected" {
		t.Errorf("while the self-made key opens: %q", got)
	}
	_, err = k.rotate(t.Context(), c.named("new"))
	must(t, err)
	if got := k.protection(); got != "sealed" {
		t.Errorf("once nothing is under the self-made key: %q", got)
	}
}
