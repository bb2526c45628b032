package conf

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestAddSome holds a report to the room that one of many is given.
func TestAddSome(t *testing.T) {
	var other, r Report
	for line := range 300 {
		other.Fault(Pos{"a", line + 1, 1}, "", "wrong")
	}
	other.Warn(Pos{"a", 1, 2}, "", "odd")
	r.AddSome(&other, 2)
	r.AddSome(&other, 0)
	if got := len(r.Findings()); got != 2 {
		t.Errorf("%d findings are kept, want 2", got)
	}
	if r.Faults() != 600 || r.Omitted() < 598 {
		t.Errorf("%d faults, %d omitted, want 600 and the rest", r.Faults(), r.Omitted())
	}
}

func TestReportSortsAndDropsDuplicates(t *testing.T) {
	var r, other Report
	r.Note(Pos{"b", 1, 1}, "", "third")
	r.Fault(Pos{"a", 10, 1}, "mend it", "%q is second", "x")
	r.Warn(Pos{"a", 9, 3}, "", "first")
	other.Fault(Pos{"a", 10, 1}, "mend it", "%q is second", "x")
	other.Fault(Pos{File: "c"}, "", "fourth")
	r.Add(&other)
	r.Add(&other)
	want := `a:9:3: warning: first
a:10:1: "x" is second
    hint: mend it
b:1:1: note: third
c: fourth
`
	got := ""
	for _, f := range r.Findings() {
		got += f.String() + "\n"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if r.Faults() != 2 || r.Omitted() != 0 {
		t.Errorf("Faults, Omitted = %d, %d, want 2, 0", r.Faults(), r.Omitted())
	}
}

func TestReportIsBounded(t *testing.T) {
	var r Report
	for i := range maxFindings {
		r.Note(Pos{"f", i + 1, 1}, "", "note")
	}
	r.Warn(Pos{"f", 1, 1}, "", "no room")
	for i := range maxFindings + 10 {
		r.Fault(Pos{"f", i + 1, 2}, "", "fault")
	}
	if got := len(r.Findings()); got != maxFindings {
		t.Errorf("kept %d, want %d", got, maxFindings)
	}
	for _, f := range r.Findings() {
		if f.Severity != Fault {
			t.Fatalf("kept %v, want faults alone", f)
		}
	}
	if r.Faults() != maxFindings+10 || r.Omitted() != 1+maxFindings+10 {
		t.Errorf("Faults, Omitted = %d, %d, want %d, %d", r.Faults(), r.Omitted(), maxFindings+10, maxFindings+11)
	}
	var sum Report
	sum.Add(&r)
	if sum.Faults() != r.Faults() || sum.Omitted() != r.Omitted() || len(sum.Findings()) != maxFindings {
		t.Errorf("sum: Faults, Omitted = %d, %d, want %d, %d", sum.Faults(), sum.Omitted(), r.Faults(), r.Omitted())
	}
}

func TestFindingJSON(t *testing.T) {
	findings := []Finding{
		{Fault, Pos{"f", 1, 2}, "what", "mend"},
		{Warning, Pos{"f", 3, 4}, "what", ""},
	}
	got, err := json.Marshal(findings)
	want := `[{"file":"f","line":1,"column":2,"severity":"fault","text":"what","hint":"mend"},` +
		`{"file":"f","line":3,"column":4,"severity":"warning","text":"what"}]`
	if string(got) != want || err != nil {
		t.Errorf("json = %s, %v, want %s", got, err, want)
	}
	var back []Finding
	if err := json.Unmarshal(got, &back); err != nil || !slices.Equal(back, findings) {
		t.Errorf("read back: %v, %v, want %v", back, err, findings)
	}
	if err := json.Unmarshal([]byte(`{"severity":"grave"}`), &back[0]); err == nil {
		t.Error("a severity that does not exist is read")
	}
}

func TestPos(t *testing.T) {
	for want, p := range map[string]Pos{"built-in": {}, "f": {File: "f"}, "f:1:2": {"f", 1, 2}} {
		if p.String() != want || p.IsZero() != (want == "built-in") {
			t.Errorf("%#v = %s, want %s", p, p, want)
		}
	}
}

func TestLongFindingsAreClipped(t *testing.T) {
	var r Report
	r.Fault(Pos{"f", 1, 1}, strings.Repeat("ü", 100_000), "%q is long; expected less", strings.Repeat("é", 100_000))
	f := r.Findings()[0]
	for _, text := range []string{f.Text, f.Hint} {
		if len(text) > maxFindingBytes+len("…") || !utf8.ValidString(text) || !strings.Contains(text, "…") {
			t.Errorf("%d bytes are kept: %s", len(text), text)
		}
	}
	if !strings.HasPrefix(f.Text, `"é`) || !strings.HasSuffix(f.Text, `é" is long; expected less`) {
		t.Errorf("text = %s, want its beginning and its end", f.Text)
	}
}
