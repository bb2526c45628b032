package store_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"gatehouse/internal/store"
)

const secret = "a private key, as it were"

// golden is secret sealed at "k" with testKey(1), by the first version. While
// it opens, the state of those who run us opens.
const golden = "47485345414c01e72d1d23ab1140486b22f7d3fe137997c5191684d54" +
	"23eb49b210355a1c89472332b6575b5e20152851fcbaf05d76e49aca9" +
	"3ad78b6802f6cd7e4a6ca7b0d40b944427909ea0d80e8475185f91"

func TestSealOpensWhatItEverWrote(t *testing.T) {
	mem := store.NewMem()
	mustPut(t, mem, "k", string(goldenBlob(t)))
	if got := mustGet(t, seal(t, mem, testKey(1)), "k"); string(got) != secret {
		t.Errorf("Get = %q, want %q", got, secret)
	}
}

func goldenBlob(t testing.TB) []byte {
	t.Helper()
	blob, err := hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	return blob
}

func TestSealHidesValues(t *testing.T) {
	mem := store.NewMem()
	s := seal(t, mem, testKey(1))
	mustPut(t, s, "k", secret)
	first := mustGet(t, mem, "k")
	if bytes.Contains(first, []byte("private")) {
		t.Errorf("the value lies open in %q", first)
	}
	mustPut(t, s, "k", secret)
	if bytes.Equal(first, mustGet(t, mem, "k")) {
		t.Errorf("the same value seals to the same bytes twice")
	}
}

func TestSealBindsToKey(t *testing.T) {
	mem := store.NewMem()
	s := seal(t, mem, testKey(1))
	mustPut(t, s, "tenants/acme", secret)
	mustPut(t, mem, "tenants/globex", string(mustGet(t, mem, "tenants/acme")))
	_, err := s.Get(t.Context(), "tenants/globex")
	wantDamaged(t, err, "tenants/globex")
}

func TestSealOfAnotherKey(t *testing.T) {
	mem := store.NewMem()
	mustPut(t, seal(t, mem, testKey(1)), "k", secret)
	_, err := seal(t, mem, testKey(2)).Get(t.Context(), "k")
	var foreign *store.ForeignError
	if !errors.As(err, &foreign) || foreign.Key != "k" || errors.Is(err, store.ErrDamaged) {
		t.Errorf("Get with another seal key = %v, want a ForeignError of k", err)
	}
}

func TestSealOfANewerVersion(t *testing.T) {
	mem := store.NewMem()
	s := seal(t, mem, testKey(1))
	mustPut(t, s, "k", secret)
	blob := mustGet(t, mem, "k")
	blob[len("GHSEAL")] = 2
	mustPut(t, mem, "k", string(withSum(blob)))
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, store.ErrForeign) {
		t.Errorf("Get = %v, want ErrForeign", err)
	}
}

// TestSealSurvivesEveryDamage alters each bit, and cuts at each length, first
// as an accident does and then as somebody who mends the checksum does.
func TestSealSurvivesEveryDamage(t *testing.T) {
	mem := store.NewMem()
	s := seal(t, mem, testKey(1))
	mustPut(t, s, "k", secret)
	blob := mustGet(t, mem, "k")
	check := func(bad []byte, allowed ...error) {
		t.Helper()
		mustPut(t, mem, "k", string(bad))
		value, err := s.Get(t.Context(), "k")
		if !slices.ContainsFunc(allowed, func(want error) bool { return errors.Is(err, want) }) {
			t.Errorf("Get of %x = %q, %v; want one of %v", bad, value, err, allowed)
		}
	}
	for bit := range len(blob) * 8 {
		bad := bytes.Clone(blob)
		bad[bit/8] ^= 1 << (bit % 8)
		check(bad, store.ErrDamaged)
		if bit/8 < len(blob)-4 {
			check(withSum(bad), store.ErrDamaged, store.ErrForeign)
		}
	}
	for n := range len(blob) {
		check(blob[:n], store.ErrDamaged)
		if n > 4 {
			check(withSum(bytes.Clone(blob[:n])), store.ErrDamaged)
		}
	}
	check(append(bytes.Clone(blob), 0), store.ErrDamaged)
}

func FuzzSealedGet(f *testing.F) {
	whole := goldenBlob(f)
	f.Add(whole, false)
	f.Add(whole[:20], true)
	f.Add([]byte("GHSEAL\x01"), true)
	f.Add([]byte(nil), false)
	f.Fuzz(func(t *testing.T, blob []byte, mendSum bool) {
		if mendSum && len(blob) > 4 {
			blob = withSum(bytes.Clone(blob))
		}
		if len(blob) > store.MaxBlobBytes {
			return
		}
		mem := store.NewMem()
		mustPut(t, mem, "k", string(blob))
		value, err := seal(t, mem, testKey(1)).Get(t.Context(), "k")
		switch {
		case err == nil && bytes.Equal(blob, whole) && string(value) == secret:
		case err == nil:
			t.Fatalf("a blob that nobody sealed opens: %x", blob)
		case !errors.Is(err, store.ErrDamaged) && !errors.Is(err, store.ErrForeign):
			t.Fatalf("Get = %v, want ErrDamaged or ErrForeign", err)
		}
	})
}

// TestSealBound: a value that fits the driver but not the interface.
func TestSealBound(t *testing.T) {
	err := seal(t, store.NewMem(), testKey(1)).Put(t.Context(), "k", make([]byte, store.MaxValueBytes+1))
	if !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("Put = %v, want ErrTooLarge", err)
	}
}

func TestSealKeyLength(t *testing.T) {
	for _, n := range []int{0, 16, 31, 33, 64} {
		if _, err := store.Seal(store.NewMem(), make([]byte, n)); err == nil {
			t.Errorf("Seal takes a key of %d bytes", n)
		}
	}
}

// withSum sets the last four bytes to the checksum of the others.
func withSum(blob []byte) []byte {
	body := blob[:len(blob)-4]
	return binary.BigEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

func testKey(seed byte) []byte {
	key := make([]byte, store.KeyBytes)
	for i := range key {
		key[i] = byte(i) ^ seed<<4
	}
	return key
}

func seal(t *testing.T, inner store.Store, key []byte) store.Store {
	t.Helper()
	s, err := store.Seal(inner, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustPut(t *testing.T, s store.Store, key, value string) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(value)); err != nil {
		t.Fatal(err)
	}
}

func mustGet(t *testing.T, s store.Store, key string) []byte {
	t.Helper()
	value, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func wantDamaged(t *testing.T, err error, key string) {
	t.Helper()
	var damage *store.DamagedError
	if !errors.As(err, &damage) || damage.Key != key {
		t.Errorf("got %v, want a DamagedError of %q", err, key)
	}
}
