package conf

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// findings decodes text as a sampleFile and returns what was found.
func findings(text string) string {
	var into sampleFile
	var r Report
	Decode("t.yaml", []byte(text), &into, &r)
	var b strings.Builder
	for _, f := range r.Findings() {
		b.WriteString(f.String() + "\n")
	}
	return b.String()
}

func TestDecodeValues(t *testing.T) {
	text := `# a comment
version: 1
strict: true
x-note: [anything, {at: all}, !!binary aGk=]
listen:
  http: ":80"
  https:
    - ":443"
    - {address: ":8443", peers: [192.0.2.1]}
until: 2027-01-31
key: {env: KEY}
tenants:
  acme:
    hosts: [a.example, {host: b.example, body: 1KiB}]
    timeouts: {connect: 1h30m}
    groups: gold
    weights: {one: 1, x-two: -2}
    plain: 0x10
    open: true
    status: 404
    levels: []
    set: {x-frame-options: DENY, Zero: ~ish}
`
	at := func(line, col int) Pos { return Pos{"t.yaml", line, col} }
	host := sampleHost{Host: At[string]{"b.example", at(14, 31)}}
	host.Body = At[Size]{1024, at(14, 48)}
	site := &sampleSite{
		Pos: at(14, 5),
		Hosts: List[sampleHost]{[]At[sampleHost]{
			{sampleHost{Host: At[string]{"a.example", at(14, 13)}}, at(14, 13)},
			{host, at(14, 24)},
		}, at(14, 12)},
		Groups:  OneOrMany[string]{[]At[string]{{"gold", at(16, 13)}}, at(16, 13)},
		Weights: Map[int]{{"one", at(17, 15), 1}, {"x-two", at(17, 23), -2}},
		Plain:   "0x10",
		Open:    true,
		Status:  At[string]{"404", at(20, 13)},
		Levels:  List[int]{[]At[int]{}, at(21, 13)},
		Set: Map[At[string]]{
			{"x-frame-options", at(22, 11), At[string]{"DENY", at(22, 28)}},
			{"Zero", at(22, 34), At[string]{"~ish", at(22, 40)}},
		},
	}
	site.Timeouts = &sampleTimeouts{Connect: At[Duration]{5400e9, at(15, 25)}}
	want := sampleFile{
		Version: 1,
		Strict:  At[bool]{true, at(3, 9)},
		Listen: &sampleListen{
			HTTP: OneOrMany[samplePort]{[]At[samplePort]{{":80", at(6, 9)}}, at(6, 9)},
			HTTPS: List[sampleDoor]{[]At[sampleDoor]{
				{sampleDoor{Address: At[samplePort]{":443", at(8, 7)}}, at(8, 7)},
				{sampleDoor{
					Address: At[samplePort]{":8443", at(9, 17)},
					Peers:   List[string]{[]At[string]{{"192.0.2.1", at(9, 34)}}, at(9, 33)},
				}, at(9, 7)},
			}, at(8, 5)},
		},
		Until:   At[Date]{Date{2027, 1, 31}, at(10, 8)},
		Key:     &Secret{Env: At[string]{"KEY", at(11, 12)}},
		Tenants: Map[*sampleSite]{{"acme", at(13, 3), site}},
	}
	var got sampleFile
	var r Report
	Decode("t.yaml", []byte(text), &got, &r)
	if found := r.Findings(); len(found) > 0 {
		t.Errorf("findings = %v, want none", found)
	}
	allow := cmp.AllowUnexported(sampleSite{}, sampleHost{})
	if diff := cmp.Diff(want, got, allow); diff != "" {
		t.Errorf("Decode (-want +got):\n%s", diff)
	}
}

func TestDecodeFindings(t *testing.T) {
	const v = "version: 1\n"
	for name, test := range map[string]struct{ text, want string }{
		"empty file":         {"", "t.yaml:1:1: the file is empty; expected a map of keys\n"},
		"comments alone":     {"# nothing\n\n# more\n", "t.yaml:1:1: the file is empty; expected a map of keys\n"},
		"dashes alone":       {"---\n", "t.yaml:1:1: the file is empty; expected a map of keys\n"},
		"a list for a file":  {"- a\n", "t.yaml:1:1: the file is a list; expected a map\n"},
		"a word for a file":  {"gatehouse\n", "t.yaml:1:1: the file is \"gatehouse\"; expected a map\n"},
		"null for a file":    {"null\n", "t.yaml:1:1: the file has no value; expected a map\n"},
		"second document":    {v + "---\nversion: 1\n", "t.yaml:2:1: a second document begins here; expected one document in a file\n"},
		"empty one at last":  {v + "---\n", "t.yaml:2:1: a second document begins here; expected one document in a file\n"},
		"end of document":    {v + "...\n", ""},
		"byte order mark":    {"\ufeffversion: 2\n", "t.yaml:1:10: \"2\" is unknown; expected \"1\"\n"},
		"lines end in CR LF": {"version: 1\r\nuntil: x\r\n", "t.yaml:2:8: \"x\" is not a date; write it as year-month-day, like \"2027-01-31\"\n"},

		"all at once": {
			"versoin: 1\nstrict: yes\nuntil: 2027-02-30\n",
			"t.yaml:1:1: required key \"version\" is missing\n    hint: write it like version: 1\n" +
				"t.yaml:1:1: unknown key \"versoin\"\n    hint: did you mean \"version\"?\n" +
				"t.yaml:2:9: \"yes\" is neither true nor false\n    hint: write true\n" +
				"t.yaml:3:8: \"2027-02-30\" is not in the calendar; write a day like \"2027-01-31\"\n",
		},
		"unknown, nothing near":  {v + "elephant: 1\n", "t.yaml:2:1: unknown key \"elephant\"\n"},
		"unknown, other case":    {v + "Listen: {}\n", "t.yaml:2:1: unknown key \"Listen\"\n    hint: did you mean \"listen\"?\n"},
		"unknown, swapped":       {v + "tneants: {}\n", "t.yaml:2:1: unknown key \"tneants\"\n    hint: did you mean \"tenants\"?\n"},
		"unknown, very long":     {v + strings.Repeat("k", 900) + ": 1\n", "t.yaml:2:1: unknown key \"" + strings.Repeat("k", 900) + "\"\n"},
		"belongs below":          {v + "https: []\n", "t.yaml:2:1: unknown key \"https\"\n    hint: \"https\" belongs below \"listen\"\n"},
		"belongs below a name":   {v + "hosts: []\n", "t.yaml:2:1: unknown key \"hosts\"\n    hint: \"hosts\" belongs below \"tenants\"\n"},
		"belongs beside, deeper": {v + "tenants: {a: {hosts: [{host: b, status: 403}], connect: 1s}}\n", "t.yaml:2:33: unknown key \"status\"\n    hint: \"status\" belongs beside \"hosts\", not below it\nt.yaml:2:48: unknown key \"connect\"\n    hint: \"connect\" belongs below \"timeouts\"\n"},
		"belongs below several":  {v + "tenants: {a: {hosts: [], host: b}}\nx-b: {}\nbody: 1B\n", "t.yaml:2:26: unknown key \"host\"\n    hint: did you mean \"hosts\"?\nt.yaml:4:1: unknown key \"body\"\n    hint: \"body\" belongs below \"tenants\" or \"spare\"\n"},
		"nothing near by":        {v + "tenants: {a: {hosts: [], timeouts: {version: 1}}}\n", "t.yaml:2:37: unknown key \"version\"\n"},
		"belongs below another":  {v + "spare: {hosts: []}\n", "t.yaml:2:9: unknown key \"hosts\"\n    hint: \"hosts\" belongs below \"tenants\"\n"},
		"value for a key":        {v + "tenants: {a: {hosts: [{a.example: {}}]}}\n", "t.yaml:2:23: required key \"host\" is missing\nt.yaml:2:24: unknown key \"a.example\"\n    hint: write it as host: \"a.example\", with the other keys beside it\n"},
		"belongs beside":         {v + "listen: {strict: true}\n", "t.yaml:2:10: unknown key \"strict\"\n    hint: \"strict\" belongs beside \"listen\", not below it\n"},
		"belongs beside, list":   {v + "listen: {https: [{address: ':1', http: ':2'}]}\n", "t.yaml:2:34: unknown key \"http\"\n    hint: \"http\" belongs beside \"https\", not below it\n"},
		"not in this version":    {v + "fleet: {a: b}\nbackup:\n", "t.yaml:2:1: \"fleet\" is not in this version\nt.yaml:3:1: \"backup\" is not in this version\n"},
		"not yet, blank field":   {v + "tenants: {a: {hosts: [], health: x}}\n", "t.yaml:2:26: \"health\" is not in this version\n"},
		"duplicate":              {v + "strict: true\nversion: 1\n", "t.yaml:3:1: duplicate key \"version\"; it is already written at t.yaml:1:1\n"},
		"duplicate of a name":    {v + "tenants: {a: {hosts: []}, a: {}}\n", "t.yaml:2:27: duplicate key \"a\"; it is already written at t.yaml:2:11\n"},
		"duplicate, skipped":     {v + "x-a: 1\nx-a: 2\n", "t.yaml:3:1: duplicate key \"x-a\"; it is already written at t.yaml:2:1\n"},
		"merge key":              {"x-b: &b {version: 1}\n<<: *b\n" + v, "t.yaml:2:1: merge key \"<<\"; expected a key of this map\n    hint: write the keys out, or give the whole value an anchor\n"},
		"a list for a key":       {v + "? [a]\n: b\n", "t.yaml:2:3: a list stands for a key; expected text\n"},
		"an alias for a key":     {"x-b: &b strict\nversion: 1\n*b : true\n", "t.yaml:3:1: the alias \"*b\" stands for a key; expected the key itself\n    hint: put a name that begins with * in quotes\n"},
		"a tag on a key":         {v + "!!str strict: true\n", "t.yaml:2:1: explicit tag \"!!str\"; expected a key without a tag\n    hint: remove the tag\n"},
		"an empty key":           {v + "\"\": true\n", "t.yaml:2:1: empty key; expected a name\n"},
		"a tag":                  {v + "strict: !!bool true\n", "t.yaml:2:9: explicit tag \"!!bool\"; expected a value without a tag\n    hint: remove the tag\n"},
		"a tag on a map":         {v + "listen: !door {}\n", "t.yaml:2:9: explicit tag \"!door\"; expected a value without a tag\n    hint: remove the tag\n"},
		"no value":               {v + "strict:\nlisten:\n", "t.yaml:2:1: \"strict\" has no value; expected true or false\nt.yaml:3:1: \"listen\" has no value; expected a map\n    hint: write it like listen: {http: [\":80\"]}\n"},
		"null":                   {v + "tenants: {a: {hosts: ~, plain: null, groups: null}}\n", "t.yaml:2:22: \"hosts\" has no value; expected a list\n    hint: write it like hosts: [shop.example.com]\nt.yaml:2:32: \"plain\" has no value; expected text\nt.yaml:2:46: \"groups\" has no value; expected text or a list\n"},
		"null item":              {v + "listen:\n  https:\n    -\n    - \":1\"\n", "t.yaml:4:6: an item of \"https\" has no value; expected an address or a map\n"},
		"no space after colon":   {v + "listen: {http:80}\n", "t.yaml:2:10: unknown key \"http:80\"\n    hint: write a space behind the \":\"\n"},
		"no space, any key":      {v + "tenants: {a: {hosts: [], weights: {b:1}}}\n", "t.yaml:2:36: \"b:1\" has no value; expected a whole number\n    hint: write a space behind the \":\"\n"},
		"list for an enum":       {v + "tenants: {a: {hosts: [], status: []}}\n", "t.yaml:2:34: \"status\" is a list; expected \"403\", \"404\" or \"handshake\"\n"},
		"map for a list":         {v + "listen: {https: {a: b}}\n", "t.yaml:2:17: \"https\" is a map; expected a list\n"},
		"list for a map":         {v + "tenants: []\n", "t.yaml:2:10: \"tenants\" is a list; expected a map\n"},
		"word for a struct":      {v + "listen: \":80\"\n", "t.yaml:2:9: \"listen\" is \":80\"; expected a map\n    hint: write it like listen: {http: [\":80\"]}\n"},
		"map for text":           {v + "tenants: {a: {hosts: [], plain: {}}}\n", "t.yaml:2:33: \"plain\" is a map; expected text\n"},
		"map for one or many":    {v + "tenants: {a: {hosts: [], groups: {}}}\n", "t.yaml:2:34: \"groups\" is a map; expected text or a list\n"},
		"list for a short one":   {v + "listen: {https: [[]]}\n", "t.yaml:2:18: an item of \"https\" is a list; expected an address or a map\n"},
		"word for a short list":  {v + "sets: {a: b, c: [{}]}\n", "t.yaml:2:11: \"a\" is \"b\"; expected a list or a map\nt.yaml:2:18: required key \"host\" is missing\n"},
		"list for an item":       {v + "listen: {http: [[]]}\n", "t.yaml:2:17: an item of \"http\" is a list; expected an address\n"},
		"list for a duration":    {v + "tenants: {a: {hosts: [], timeouts: {connect: []}}}\n", "t.yaml:2:46: \"connect\" is a list; expected a duration\n    hint: write it like connect: 500ms\n"},
		"word for an entry":      {v + "tenants: {a: b}\n", "t.yaml:2:14: \"a\" is \"b\"; expected a map\n"},
		"bool in quotes":         {v + "strict: \"true\"\n", "t.yaml:2:9: \"true\" is text; expected true or false\n    hint: remove the quotes\n"},
		"bool as off":            {v + "strict: Off\n", "t.yaml:2:9: \"Off\" is neither true nor false\n    hint: write false\n"},
		"bool as maybe":          {v + "strict: maybe\n", "t.yaml:2:9: \"maybe\" is neither true nor false\n"},
		"int in quotes":          {v + "tenants: {a: {hosts: [], weights: {b: \"1\"}}}\n", "t.yaml:2:39: \"1\" is not a whole number; expected decimal digits, without quotes\n"},
		"int in octal":           {v + "tenants: {a: {hosts: [], weights: {b: 017, c: 0x1, d: 1_0, e: 1.0, f: 99999999999999999999}}}\n", "t.yaml:2:39: \"017\" is not a whole number; expected decimal digits, without quotes\nt.yaml:2:47: \"0x1\" is not a whole number; expected decimal digits, without quotes\nt.yaml:2:55: \"1_0\" is not a whole number; expected decimal digits, without quotes\nt.yaml:2:63: \"1.0\" is not a whole number; expected decimal digits, without quotes\nt.yaml:2:71: \"99999999999999999999\" is too large\n"},
		"enum":                   {v + "tenants: {a: {hosts: [], status: handshak, levels: [4]}}\n", "t.yaml:2:34: \"handshak\" is unknown; expected \"403\", \"404\" or \"handshake\"\n    hint: did you mean \"handshake\"?\nt.yaml:2:53: \"4\" is unknown; expected \"1\", \"2\" or \"3\"\n"},
		"scalar":                 {v + "listen: {http: [\"80\", \":\"]}\n", "t.yaml:2:17: \"80\" is not an address\n    hint: write it like :443\nt.yaml:2:23: empty port; expected a number\n"},
		"short, and another key": {v + "tenants: {a: {hosts: [{body: 1B}]}}\n", "t.yaml:2:23: required key \"host\" is missing\n"},
		"check":                  {v + "tenants: {a: {hosts: [], body: 0B, timeouts: {}}}\n", "t.yaml:2:14: timeouts without a body; expected both or none\n"},
		"no check after a fault": {v + "tenants: {a: {hosts: [], body: 0B, timeouts: {connect: 1}}}\n", "t.yaml:2:56: \"1\" has no unit; write it like \"1s\"\n"},
		"a secret in no place":   {v + "key: {}\n", "t.yaml:2:6: none of the keys \"file\", \"env\" and \"credential\" is written; expected one\n    hint: write it like file: secrets/acme/key.pem\n"},
		"a secret in two places": {v + "key: {file: a, env: b}\n", "t.yaml:2:6: \"file\" and \"env\" stand together; expected only one of them\n"},
		"a secret in an empty":   {v + "key: {file: \"\"}\n", "t.yaml:2:13: \"\" names no place; expected the name of where the secret is kept\n"},

		"alias":             {"x-a: &a {hosts: [a.example]}\nversion: 1\ntenants: {a: *a, b: *a}\n", ""},
		"fault in an alias": {"x-a: &a {hots: []}\nversion: 1\ntenants: {a: *a, b: *a}\n", "t.yaml:1:6: required key \"hosts\" is missing\n    hint: write it like hosts: [shop.example.com]\nt.yaml:1:10: unknown key \"hots\"\n    hint: did you mean \"hosts\"?\n"},
		"alias of itself":   {v + "tenants: {a: {hosts: [{host: a, routes: &r {b: {host: c, routes: *r}}}]}}\n", "t.yaml:2:66: the alias \"*r\" contains itself\n"},
		"alias of nothing":  {v + "until: *a\n", "t.yaml:2:8: the alias \"*a\" has no anchor; expected \"&a\" earlier in the file\n    hint: put text that begins with * in quotes\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, findings(test.text)); diff != "" {
				t.Errorf("findings (-want +got):\n%s\nof:\n%s", diff, test.text)
			}
		})
	}
}

// A value used through an alias stands where it is written.
func TestAliasPositions(t *testing.T) {
	text := "x-a: &a [b, c]\nx-d: &d e\nversion: 1\ntenants: {f: {hosts: [], groups: *a}, g: {hosts: [], groups: [*d]}}\n"
	var into sampleFile
	var r Report
	Decode("f", []byte(text), &into, &r)
	at := func(line, col int) Pos { return Pos{"f", line, col} }
	want := []OneOrMany[string]{
		{[]At[string]{{"b", at(1, 10)}, {"c", at(1, 13)}}, at(1, 6)},
		{[]At[string]{{"e", at(2, 6)}}, at(4, 62)},
	}
	for i, name := range []string{"f", "g"} {
		if diff := cmp.Diff(want[i], into.Tenants.Get(name).V.Groups); diff != "" {
			t.Errorf("groups of %s (-want +got):\n%s", name, diff)
		}
	}
}

// Many goroutines meet the same declaration for the first time.
func TestDecoderIsConcurrent(t *testing.T) {
	decoder := NewDecoder()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			var into, over sampleSite
			var r Report
			decoder.Decode("f", []byte(benchTenant), &into, &r)
			decoder.Merge(&over, &into)
			if r.Faults() != 0 || len(over.Hosts.Values()) != 3 {
				t.Errorf("findings = %v, hosts = %v, want three hosts", r.Findings(), over.Hosts.Values())
			}
		})
	}
	group.Wait()
}

func TestValues(t *testing.T) {
	if got := (At[int]{5, Pos{"f", 1, 1}}).Or(7); got != 5 {
		t.Errorf("a value that is written = %d, want 5", got)
	}
	if got := (At[int]{}).Or(7); got != 7 {
		t.Errorf("a value that is not written = %d, want the built-in 7", got)
	}
	if (List[int]{}).Set() || !(List[int]{Pos: Pos{"f", 1, 1}}).Set() {
		t.Error("an empty list that is written is not told from one that is not")
	}
	many := OneOrMany[int]{Items: []At[int]{{V: 1}, {V: 2}}, Pos: Pos{"f", 1, 1}}
	if got := many.Values(); !many.Set() || !slices.Equal(got, []int{1, 2}) {
		t.Errorf("values = %v, want 1 and 2", got)
	}
}
