package conf

import (
	"strings"
	"testing"
)

// hintFile is declarations that hints are made of.
type hintFile struct {
	Probe  *hintProbe            `conf:"probe" doc:"d"`
	Tries  *hintTries            `conf:"tries" doc:"d" on:"{most: 3}" off:"{most: 1}"`
	Share  *hintShare            `conf:"share" doc:"d"`
	Fields *hintFields           `conf:"fields" doc:"d"`
	Deep   *hintDeep             `conf:"deep" doc:"d"`
	Closed OneOrMany[hintClosed] `conf:"closed" doc:"d" example:"{at: noon}" off:"[]"`
}

type hintProbe struct {
	Path      At[string]   `conf:"path" doc:"d" example:"/ok" also:"uri,url"`
	Every     At[Duration] `conf:"every" doc:"d" example:"5s" also:"interval,checkinterval"`
	TLS       *hintFields  `conf:"tls" doc:"d"`
	Elsewhere Elsewhere    `conf:"https,ssl" doc:"write the url with https://"`
}

type hintTries struct {
	Most   At[int]        `conf:"most" doc:"d" example:"2" off:"1"`
	Budget At[Percent]    `conf:"budget" doc:"d" example:"20%"`
	Client *hintTriesEach `conf:"client" doc:"d"`
}

type hintTriesEach struct {
	Rate  At[Percent] `conf:"rate,required" doc:"d" example:"5%"`
	Count At[int]     `conf:"count,required" doc:"d" example:"7"`
}

type hintShare struct {
	By   At[string] `conf:"by,short,one" enum:"turn|load" doc:"d"`
	Hash *hintHash  `conf:"hash,one" doc:"d"`
}

type hintHash struct {
	By     At[string] `conf:"by,short,one" enum:"client" doc:"d"`
	Header At[string] `conf:"header,one" doc:"d" example:"X-A"`
	Blank  At[string] `conf:"blank,one" doc:"d"`
}

type hintFields struct {
	Request *hintTriesEach `conf:"request" doc:"d"`
	Name    At[string]     `conf:"name" doc:"d"`
}

// hintDeep contains itself, and has no example.
type hintDeep struct {
	Deep *hintDeep `conf:"deep" doc:"d"`
}

type hintClosed struct {
	At At[string] `conf:"at" doc:"d"`
}

func TestHints(t *testing.T) {
	long := strings.Repeat("9", 1<<10)
	for text, want := range map[string]string{
		"probe: {interval: 5s}":          `did you mean "every"? write it like every: 5s`,
		"probe: {check-Interval: 5s}":    `did you mean "every"? write it like every: 5s`,
		"probe: {uri: /}":                `did you mean "path"? write it like path: /ok`,
		"probe: {ssl: true}":             "write the url with https://",
		"probe: {evry: 5s}":              `did you mean "every"?`,
		"probe: {budget: 5%}":            `"budget" belongs below "tries"`,
		"probe: {budget: 5s}":            "",
		"probe: {budget: []}":            "",
		"probe: {budget: }":              `"budget" belongs below "tries"`,
		"probe: {budget: " + long + "%}": `"budget" belongs below "tries"`,
		"probe: {most: many}":            "",
		"probe: {most: 2}":               `"most" belongs below "tries"`,
		"probe: {name: any}":             `"name" belongs below "tls"`,
		"tries: {name: any}":             "", // below fields, it is any text
		"probe: {request: 5s}":           "",
		"probe: {request: {}}":           `"request" belongs below "tls"`,
		"probe: {share: turn}":           `"share" belongs beside "probe", not below it`,
		"probe: {share: {}}":             `"share" belongs beside "probe", not below it`,
		"probe: {share: 5}":              "",
		"name: any":                      `"name" belongs below "fields"`,

		"tries: off":                    "write tries: {most: 1}",
		"tries: 0":                      "write tries: {most: 1}",
		"tries: On":                     "write tries: {most: 3}",
		"tries: 4":                      "write it like tries: {most: 2}",
		"tries: []":                     "write it like tries: {most: 2}",
		"tries: {most: off}":            "write most: 1",
		"tries: {most: on}":             "",
		"tries: {most: few}":            "",
		"tries: {client: 5}":            "write it like client: {rate: 5%, count: 7}",
		"closed: off":                   "write closed: []",
		"closed: on":                    "write it like closed: {at: noon}",
		"deep: off":                     "",
		"fields: 5":                     "write it like fields: {request: {rate: 5%, count: 7}}",
		"share: client":                 "or write {hash: client} or {hash: {header: X-A}}",
		"share: trun":                   `did you mean "turn"?`,
		"share: {hash: cookie}":         "or write {header: X-A}",
		"share: {by: client}":           "",
		"share: [client]":               "write it like share: {hash: {header: X-A}}",
		"share: {hash: [X-A]}":          "write it like hash: {header: X-A}",
		"x: &a {request: 1}\ntries: *a": "",
	} {
		var r Report
		Decode("f", []byte(text), new(hintFile), &r)
		if list := r.Findings(); len(list) == 0 || list[len(list)-1].Hint != want {
			t.Errorf("%s: %v\nwant the hint %q", text, list, want)
		}
	}
}

func TestBadSynonyms(t *testing.T) {
	for name, declaration := range map[string]any{
		"a key": &struct {
			A string `conf:"a" also:"b"`
			B string `conf:"b"`
		}{},
		"a key with hyphens": &struct {
			A string `conf:"a" also:"bc"`
			B string `conf:"b_c"`
		}{},
		"twice": &struct {
			A string    `conf:"a" also:"c"`
			B Elsewhere `conf:"c" doc:"d"`
		}{},
		"a key of a later version": &struct {
			A string `conf:"a" also:"c"`
			_ Later  `conf:"c"`
		}{},
		"upper case": &struct {
			A string `conf:"a" also:"C"`
		}{},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Errorf("Decode into %T does not panic", declaration)
				}
			}()
			Decode("f", []byte("a: b\n"), declaration, new(Report))
		})
	}
}
