package conf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

type mergeSample struct {
	A      At[string]        `conf:"a"`
	List   List[string]      `conf:"list"`
	Many   OneOrMany[string] `conf:"many"`
	Plain  string            `conf:"plain"`
	Wait   *sampleTimeouts   `conf:"wait"`
	Inner  sampleTimeouts    `conf:"inner"`
	Secret Secret            `conf:"secret"`
	Key    *Secret           `conf:"key"`
	Set    Map[At[string]]   `conf:"set"`
	Deep   Map[sampleCommon] `conf:"deep"`
	Later  Later             `conf:"later"`
}

func mergeFrom(t *testing.T, file, text string) mergeSample {
	t.Helper()
	var into mergeSample
	var r Report
	Decode(file, []byte(text), &into, &r)
	if found := r.Findings(); len(found) > 0 {
		t.Fatalf("findings of %s: %v", file, found)
	}
	return into
}

func TestMerge(t *testing.T) {
	const base = `a: base
list: [x, y]
many: m
plain: base
wait: {connect: 1s, first_byte: 1m}
inner: {connect: 1s, first_byte: 1m}
secret: {file: f}
key: {file: f}
set: {one: base, two: base}
deep: {d: {body: 1B, timeouts: {connect: 1s, first_byte: 1m}}}
`
	for name, test := range map[string]struct{ over, want string }{
		"nothing":        {"{}", base},
		"a value":        {"a: over", "a: over"},
		"an empty text":  {"a: ''", "a: ''"},
		"an empty list":  {"list: []", "list: []"},
		"one for many":   {"many: [n, o]", "many: [n, o]"},
		"a plain text":   {"plain: over", "plain: over"},
		"a struct":       {"inner: {connect: 2s}", "inner: {connect: 2s, first_byte: 1m}"},
		"by pointer":     {"wait: {connect: 2s}", "wait: {connect: 2s, first_byte: 1m}"},
		"a whole":        {"secret: {env: e}", "secret: {env: e}"},
		"whole, pointer": {"key: {env: e}", "key: {env: e}"},
		"a map":          {"set: {three: over, two: over}", "set: {one: base, two: over, three: over}"},
		"a map in depth": {"deep: {d: {timeouts: {connect: 2s}}, e: {}}", "deep: {d: {body: 1B, timeouts: {connect: 2s, first_byte: 1m}}, e: {}}"},
		"an empty map":   {"set: {}", "set: {one: base, two: base}"},
	} {
		t.Run(name, func(t *testing.T) {
			shared := mergeFrom(t, "base", base)
			got := shared // a shallow copy
			Merge(&got, new(mergeFrom(t, "over", test.over)))
			want := mergeFrom(t, "base", base)
			overlay(t, &want, test.want)
			ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().Type() == posType }, cmp.Ignore())
			secrets := cmp.Transformer("secret", func(s Secret) [3]At[string] { return [3]At[string]{s.File, s.Env, s.Credential} })
			if diff := cmp.Diff(want, got, ignore, secrets); diff != "" {
				t.Errorf("Merge (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(mergeFrom(t, "base", base), shared, secrets); diff != "" {
				t.Errorf("Merge wrote through to what was shared:\n%s", diff)
			}
		})
	}
}

// overlay replaces the one field of m that text writes.
func overlay(t *testing.T, m *mergeSample, text string) {
	t.Helper()
	w := mergeFrom(t, "want", text)
	switch {
	case w.A.Set() && w.List.Set(): // the base itself
	case w.A.Set():
		m.A = w.A
	case w.List.Set():
		m.List = w.List
	case w.Many.Set():
		m.Many = w.Many
	case w.Plain != "":
		m.Plain = w.Plain
	case w.Wait != nil:
		m.Wait = w.Wait
	case w.Inner.Connect.Set():
		m.Inner = w.Inner
	case w.Key != nil:
		m.Key = w.Key
	case w.Set != nil:
		m.Set = w.Set
	case w.Deep != nil:
		m.Deep = w.Deep
	default:
		m.Secret = w.Secret
	}
}

func TestMergeKeepsPositions(t *testing.T) {
	got := mergeFrom(t, "base", "set: {one: base, two: base}\nwait: {connect: 1s, first_byte: 1m}\n")
	over := mergeFrom(t, "over", "set: {two: over}\nwait: {connect: 2s}\n")
	Merge(&got, &over)
	if at := got.Set.Get("two"); at.Pos != (Pos{"over", 1, 7}) || at.V.Pos != (Pos{"over", 1, 12}) {
		t.Errorf("two stands at %v with its value at %v, want over:1:7 and over:1:12", at.Pos, at.V.Pos)
	}
	if at := got.Set.Get("one"); at.Pos != (Pos{"base", 1, 7}) {
		t.Errorf("one stands at %v, want base:1:7", at.Pos)
	}
	if got.Wait.Connect.Pos.File != "over" || got.Wait.FirstByte.Pos.File != "base" {
		t.Errorf("timeouts come from %v and %v, want over and base", got.Wait.Connect.Pos, got.Wait.FirstByte.Pos)
	}
	if got.Set.Get("three") != nil {
		t.Error("three is there, want nothing")
	}
}
