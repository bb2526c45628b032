package conf

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// What a file costs grows with its length, whatever it says: a tenant's file
// must not keep the others from being reloaded. Memory stands for time here,
// because it does not depend on what else the machine does.
func TestFaultsBeyondTheKeptOnesAreCheap(t *testing.T) {
	var text strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&text, "tenanst%d: 1\n", i)
	}
	var into sampleFile
	var r Report
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	Decode("f", []byte(text.String()), &into, &r)
	runtime.ReadMemStats(&after)
	if got, most := (after.TotalAlloc-before.TotalAlloc)>>20, uint64(64); got > most {
		t.Errorf("%d faults took %d MiB, want at most %d", r.Faults(), got, most)
	}
	if r.Faults() != 20_001 || !r.Full() || len(r.Findings()) != maxFindings {
		t.Errorf("faults = %d, full %v, kept %d, want 20001, full, %d", r.Faults(), r.Full(), len(r.Findings()), maxFindings)
	}
}

func TestAliasesAreChargedByLength(t *testing.T) {
	long := strings.Repeat("z", aliasNodeBytes*maxAliasNodes/10)
	text := "version: 1\nx-a: &a " + long + "\ntenants: {a: {hosts: [" + strings.Repeat("*a, ", 10) + "]}}\n"
	if got, want := findings(text), "t.yaml:2:6: the aliases of this file expand to more than 100000 values\n"; got != want {
		t.Errorf("findings = %.200s, want %s", got, want)
	}
	if got := findings(strings.Replace(text, "*a, ", "", 1)); got != "" {
		t.Errorf("findings of one alias less = %.200s, want none", got)
	}
}

func TestNearest(t *testing.T) {
	many := make([]string, maxCandidates+1)
	for i := range many {
		many[i] = fmt.Sprintf("name-%d", i)
	}
	for _, c := range []struct {
		word       string
		candidates []string
		want       string
	}{
		{"ofices", []string{"partners", "offices"}, "offices"},
		{"fofices", []string{"offices"}, "offices"},
		{"Off-ices", []string{"offices"}, "offices"},
		{"b", []string{"a"}, "a"},
		{"bb", []string{"aa"}, ""},
		{"", []string{"offices"}, ""},
		{"offices", nil, ""},
		{strings.Repeat("x", maxSuggestBytes), []string{strings.Repeat("x", maxSuggestBytes-1)}, strings.Repeat("x", maxSuggestBytes-1)},
		{strings.Repeat("x", maxSuggestBytes+1), []string{strings.Repeat("x", maxSuggestBytes)}, ""},
		{"xx", []string{strings.Repeat("x", maxSuggestBytes+1)}, ""},
		{"name-3x", many[:maxCandidates], "name-3"},
		{"name-3x", many, ""},
	} {
		if got := Nearest(c.word, c.candidates); got != c.want {
			t.Errorf("Nearest(%q of %d) = %q, want %q", c.word, len(c.candidates), got, c.want)
		}
	}
	if got, want := DidYouMean("ofices", []string{"offices"}), `did you mean "offices"?`; got != want {
		t.Errorf("DidYouMean = %q, want %q", got, want)
	}
}
