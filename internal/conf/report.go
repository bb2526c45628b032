package conf

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Severity says what a finding means for the configuration.
type Severity uint8

// The severities, from the gravest.
const (
	Fault   Severity = iota // the configuration is refused
	Warning                 // it is accepted, and probably not what was meant
	Note                    // something to know
)

// String returns "fault", "warning" or "note".
func (s Severity) String() string {
	switch s {
	case Fault:
		return "fault"
	case Warning:
		return "warning"
	}
	return "note"
}

// MarshalText writes the word that String returns.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a word that MarshalText writes.
func (s *Severity) UnmarshalText(word []byte) error {
	for _, known := range []Severity{Fault, Warning, Note} {
		if string(word) == known.String() {
			*s = known
			return nil
		}
	}
	return fmt.Errorf("%q is no severity; expected fault, warning or note", word)
}

// Finding is one thing that is to be said about a configuration.
type Finding struct {
	Severity Severity
	Pos      Pos
	Text     string // what is wrong with the value as written; what is expected
	Hint     string // the next action; may be empty
}

// String returns the finding as operators see it, with the hint on a line of
// its own.
func (f Finding) String() string {
	s := f.Pos.String() + ": "
	if f.Severity != Fault {
		s += f.Severity.String() + ": "
	}
	s += f.Text
	if f.Hint != "" {
		s += "\n    hint: " + f.Hint
	}
	return s
}

// flatFinding is a Finding in JSON.
type flatFinding struct {
	File     string   `json:"file"`
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Severity Severity `json:"severity"`
	Text     string   `json:"text"`
	Hint     string   `json:"hint,omitempty"`
}

// MarshalJSON writes the flat form: file, line, column, severity, text, hint.
func (f Finding) MarshalJSON() ([]byte, error) {
	return json.Marshal(flatFinding{f.Pos.File, f.Pos.Line, f.Pos.Col, f.Severity, f.Text, f.Hint})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Finding) UnmarshalJSON(text []byte) error {
	var flat flatFinding
	if err := json.Unmarshal(text, &flat); err != nil {
		return err
	}
	*f = Finding{flat.Severity, Pos{flat.File, flat.Line, flat.Column}, flat.Text, flat.Hint}
	return nil
}

// maxFindings bounds what a report keeps. Nobody mends more than this in one
// go, and a file of a million mistakes must not fill the memory.
const maxFindings = 200

// maxFindingBytes bounds the text and the hint of a finding, which quote the
// file: a value may be as long as the file.
const maxFindingBytes = 1000

// Report collects findings. Its zero value is ready. It is not safe for
// concurrent use: give each goroutine its own and Add them.
type Report struct {
	kept    []Finding
	seen    map[Finding]struct{} // the findings in kept
	faults  int
	omitted int
}

// Fault records that the configuration is refused because of what stands at p.
func (r *Report) Fault(p Pos, hint, format string, args ...any) {
	if r.Full() {
		r.faults++
		r.omitted++
		return
	}
	r.put(Finding{Fault, p, clip(fmt.Sprintf(format, args...)), clip(hint)})
}

// Warn records something that is accepted and probably not meant.
func (r *Report) Warn(p Pos, hint, format string, args ...any) {
	r.put(Finding{Warning, p, clip(fmt.Sprintf(format, args...)), clip(hint)})
}

// Note records something to know.
func (r *Report) Note(p Pos, hint, format string, args ...any) {
	r.put(Finding{Note, p, clip(fmt.Sprintf(format, args...)), clip(hint)})
}

// Full reports whether nothing that comes is kept any more, because there are
// as many faults already: whoever works out a hint may save the work.
func (r *Report) Full() bool { return r.faults >= maxFindings }

// Add records all findings of other, which stays as it is, and counts what
// other counted and did not keep.
func (r *Report) Add(other *Report) {
	notKept := other.faults
	for _, f := range other.kept {
		if f.Severity == Fault {
			notKept--
		}
		r.put(f)
	}
	r.faults += notKept
	r.omitted += other.omitted
}

// AddSome is Add for no more than the first faults of other; those beyond are
// counted alone. So one file of many mistakes leaves room for those of others.
func (r *Report) AddSome(other *Report, faults int) {
	some := Report{faults: other.faults, omitted: other.omitted}
	for _, f := range other.kept {
		if f.Severity == Fault {
			if faults--; faults < 0 {
				some.omitted++
				continue
			}
		}
		some.kept = append(some.kept, f)
	}
	r.Add(&some)
}

// Findings returns the kept findings, each once, by file, line and column.
func (r *Report) Findings() []Finding {
	sorted := slices.Clone(r.kept)
	slices.SortFunc(sorted, func(a, b Finding) int {
		return cmp.Or(a.Pos.Compare(b.Pos), cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Text, b.Text), cmp.Compare(a.Hint, b.Hint))
	})
	return sorted
}

// Faults returns how many faults were recorded, those not kept included. Once
// the report is full, one that is recorded twice counts twice.
func (r *Report) Faults() int { return r.faults }

// Omitted returns how many findings were counted and not kept.
func (r *Report) Omitted() int { return r.omitted }

// put keeps f if it is new and there is room. A fault takes the place of a
// lesser finding, so that a flood of notes cannot hide it.
func (r *Report) put(f Finding) {
	if _, ok := r.seen[f]; ok {
		return
	}
	if f.Severity == Fault {
		r.faults++
	}
	if len(r.kept) < maxFindings {
		r.keep(f)
		return
	}
	r.omitted++
	if f.Severity != Fault {
		return
	}
	lesser := slices.IndexFunc(r.kept, func(k Finding) bool { return k.Severity != Fault })
	if lesser >= 0 {
		delete(r.seen, r.kept[lesser])
		r.kept = slices.Delete(r.kept, lesser, lesser+1)
		r.keep(f)
	}
}

func (r *Report) keep(f Finding) {
	if r.seen == nil {
		r.seen = make(map[Finding]struct{})
	}
	r.seen[f] = struct{}{}
	r.kept = append(r.kept, f)
}

// clip shortens a long text in its middle: what is expected stands at its end.
func clip(text string) string {
	if len(text) <= maxFindingBytes {
		return text
	}
	const tail = maxFindingBytes / 4
	return strings.ToValidUTF8(text[:maxFindingBytes-tail], "") + "…" + strings.ToValidUTF8(text[len(text)-tail:], "")
}
