package gateway

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"gatehouse/internal/conf"
	"gatehouse/ipallow"
	"gatehouse/tenancy"
)

var update = flag.Bool("update", false, "write docs/reference.md")

const referencePath = "../../docs/reference.md"

// TestReference holds docs/reference.md to the declarations that decode the
// files, and demands of each key that it says what it means.
func TestReference(t *testing.T) {
	want := referenceText(t)
	if *update {
		if err := os.WriteFile(referencePath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/reference.md differs from the declarations; run go test ./internal/gateway -run TestReference -update")
	}
}

const referenceHead = `# Reference of the routing table

Two kinds of file: the main file, and one file for each tenant that ` + "`include`" + ` names. A tenant may also stand in the main file, under ` + "`tenants`" + `, with the same keys.

How to read the tables: ` + "`*`" + ` is a name of your choice, ` + "`[]`" + ` an item of a list. A key in bold is required where its map stands. "Short" means that the value alone may stand in place of the map. What an [address](#addresses) and a [secret](#secrets) are is said once, at the end. Keys that begin with ` + "`x-`" + ` are notes and are not read. Durations are written with their unit (` + "`30s`, `1h30m`, `730d`" + `), sizes too (` + "`64KiB`" + `); a bare number is an error. ` + "`gatehouse schema`" + ` prints the same as a JSON Schema.

Values merge from the general to the particular: built-in, ` + "`defaults`" + `, group, tenant, host, route. Maps merge key by key; scalars and lists replace. ` + "`access`" + ` does not merge: each level's stands alone, and all must admit.

Keys that belong to the product but not to this version are refused with a position; they are listed at the end.
`

func referenceText(t *testing.T) string {
	var b strings.Builder
	var later []string
	b.WriteString(referenceHead)
	b.WriteString("\n## Main file\n\n")
	tenantKeys := conf.Reference(tenancy.TenantSpec{})
	known := make(map[string]string)
	for _, k := range tenantKeys {
		known[k.Path] = k.Doc
	}
	settings := func(path string) bool { // said once, under the tenant file
		for _, prefix := range []string{"tenants.*.", "groups.*.", "defaults."} {
			if strings.HasPrefix(path, prefix) {
				return true
			}
		}
		return false
	}
	writeKeys(t, &b, conf.Reference(Config{}), settings, &later)
	fmt.Fprintf(&b, "\n`defaults` and each of `groups` hold the settings of a tenant: `%s`.\n", strings.Join(settingNames(), "`, `"))
	b.WriteString("\n## Tenant file\n\n")
	writeKeys(t, &b, tenantKeys, func(path string) bool {
		for _, prefix := range []string{"hosts[].", "routes.*.", "hosts[].routes.*."} {
			if rest, ok := strings.CutPrefix(path, prefix); ok && known[rest] != "" && strings.Contains(rest, ".") {
				return true
			}
		}
		return strings.HasPrefix(path, "hosts[].routes.*.")
	}, &later)
	b.WriteString("\nBelow `hosts[]` and `routes.*`, maps such as `timeouts` hold the same keys as a tenant's; a host's `routes` hold the same as a tenant's routes.\n")
	b.WriteString("\n## Addresses\n\nA list of addresses (`allow`, `except`, `block`, `bypass`, the peers of `client_ip`) holds texts, or maps of these keys:\n\n")
	writeKeys(t, &b, conf.Reference(ipallow.EntrySpec{}), nothing, &later)
	b.WriteString("\nThe entries of `sets` are texts as well, or maps of these keys, of `ip`, `dns`, `file` and `url` exactly one:\n\n")
	writeKeys(t, &b, conf.Reference(ipallow.SetEntrySpec{}), nothing, &later)
	b.WriteString("\n## Secrets\n\nA secret says where it is kept, by exactly one of these keys. In a tenant file only a `file` below `secrets/TENANT/` beside the main file is taken.\n\n")
	writeKeys(t, &b, conf.Reference(conf.Secret{}), nothing, &later)
	b.WriteString("\n## Not in this version\n\n")
	fmt.Fprintf(&b, "`%s`\n", strings.Join(later, "`, `"))
	return b.String()
}

// settingNames lists the keys of defaults and groups, as they are declared.
func settingNames() []string {
	var names []string
	for _, k := range conf.Reference(tenancy.SettingsSpec{}) {
		name := strings.TrimSuffix(k.Path, "[]")
		if !k.Later && !strings.ContainsAny(name, ".[") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func nothing(string) bool { return false }

func writeKeys(t *testing.T, b *strings.Builder, keys []conf.KeyDoc, skip func(string) bool, later *[]string) {
	parts := newParts(keys)
	b.WriteString("| key | type | default | meaning | example |\n|---|---|---|---|---|\n")
	for _, k := range keys {
		if k.Later {
			if name := k.Path[strings.LastIndexByte(k.Path, '.')+1:]; !slices.Contains(*later, name) {
				*later = append(*later, name)
			}
			continue
		}
		if skip(k.Path) || parts.within(k.Path) {
			continue
		}
		if k.Doc == "" {
			t.Errorf("key %s does not say what it means", k.Path)
		}
		path := "`" + k.Path + "`"
		if k.Required {
			path = "**" + path + "**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", path, parts.typeOf(k), code(k.Default), cell(k.Doc), code(k.Example))
	}
}

// parts knows the keys that hold addresses or secrets, whose own keys are
// explained once for all of them.
type parts map[string]string

const (
	addressList = "list of addresses"
	secret      = "secret"
)

func newParts(keys []conf.KeyDoc) parts {
	p := make(parts)
	for _, k := range keys {
		if list, ok := strings.CutSuffix(k.Path, "[].ip"); ok {
			p[list+"[]"] = addressList
		}
		if sets, ok := strings.CutSuffix(k.Path, ".entries[].ip"); ok {
			p[sets] = "map of names to lists of addresses, or to maps"
		}
		if where, ok := strings.CutSuffix(k.Path, ".credential"); ok {
			p[where] = secret
		}
	}
	return p
}

// within reports whether a key is one of those that are explained once.
func (p parts) within(path string) bool {
	dot := strings.LastIndexByte(path, '.')
	return dot >= 0 && (p[path[:dot]] == addressList || p[path[:dot]] == secret)
}

func (p parts) typeOf(k conf.KeyDoc) string {
	if what := p[k.Path]; what != "" {
		return what
	}
	return typeOf(k)
}

func typeOf(k conf.KeyDoc) string {
	what := k.Type
	if len(k.Enum) > 0 {
		what = strings.Join(k.Enum, ", ")
		if strings.HasPrefix(k.Type, "list") {
			what = "list of " + what
		}
	}
	if k.Unit != "" {
		what += " (" + k.Unit + ")"
	}
	if k.Short {
		what += "; short"
	}
	return cell(what)
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + cell(text) + "`"
}
