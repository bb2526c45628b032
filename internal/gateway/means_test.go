package gateway

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestGroupMemory: of a control group and those above it the least counts.
func TestGroupMemory(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"a/memory.max":     "300000\n",
		"a/b/memory.max":   "max\n",
		"a/b/c/memory.max": "400000\n",
		"x/memory.max":     "garbage\n",
	} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for list, want := range map[string]int64{
		"0::/a/b/c\n":              300_000,
		"1:cpu:/a\n0::/a/b\n":      300_000,
		"0::/x\n":                  math.MaxInt64,
		"0::/../../a/b/c\n":        300_000,
		"0::/\n":                   math.MaxInt64,
		"4:memory:/a\n":            math.MaxInt64,
		"0::/not/there\n":          math.MaxInt64,
		"":                         math.MaxInt64,
		"nonsense\n\x00\n0::a/b\n": math.MaxInt64,
	} {
		file := filepath.Join(root, "list")
		if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := groupMemory(file, root); got != want {
			t.Errorf("%q: %d bytes, want %d", list, got, want)
		}
	}
	if got := groupMemory(filepath.Join(root, "absent"), root); got != math.MaxInt64 {
		t.Errorf("without a list: %d bytes, want no bound", got)
	}
}

func TestMemoryBounds(t *testing.T) {
	const none, gib = math.MaxInt64, 1 << 30
	for _, test := range []struct{ limit, group, machine, bound, share int64 }{
		{2 * gib, none, 8 * gib, 2 * gib, gib},
		{2 * gib, gib, 8 * gib, 2 * gib, gib},
		{none, none, 8 * gib, none, 4 * gib},
		{none, 1000, 8 * gib, 900, 500},
		{none, 9 * gib, 8 * gib, none, 4 * gib},
	} {
		bound, share := memoryBounds(test.limit, test.group, test.machine)
		if bound != test.bound || share != test.share {
			t.Errorf("%+v: %d bound the collector and %d are shared", test, bound, share)
		}
	}
}

// TestWhatThereIs: this machine has memory and descriptors.
func TestWhatThereIs(t *testing.T) {
	if n := machineMemory(); n < 64<<20 || n == math.MaxInt64 {
		t.Errorf("the machine has %d bytes of memory", n)
	}
	if n := memoryToShare(); n < 16<<20 || n > machineMemory() {
		t.Errorf("%d bytes are shared", n)
	}
	if n := connectionsMost(); n < connectionsLeast {
		t.Errorf("%d connections are taken", n)
	}
}
