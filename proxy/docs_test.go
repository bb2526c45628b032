package proxy

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// httpPage is the page that this test holds to the code.
const httpPage = "../docs/http.md"

// TestHTTPPage: every row of docs/http.md has witnesses that exist and end as
// the row says; where its first words are a rule of ours, they break that very
// rule; and no rule is without a row.
func TestHTTPPage(t *testing.T) {
	rules, cases := readRules(t), casesByName(t)
	shown := make(map[string]bool)
	for _, row := range readRows(t) {
		rule := row.rule(rules)
		shown[rule] = true
		row.breaks = rules[rule] != 0
		if status := rules[rule]; status != 0 && !row.mayEnd(status) {
			t.Errorf("%s: a request that breaks this rule gets %d", row, status)
		}
		for _, name := range row.witnesses {
			if err := row.check(name, rule, cases); err != nil {
				t.Errorf("%s: %s: %v", row, name, err)
			}
		}
	}
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		if !shown[rule] {
			t.Errorf("%s has no row that begins with %q", httpPage, rule)
		}
	}
}

// pageRow is a row of a table.
type pageRow struct {
	line      int
	what      string
	breaks    bool // it begins with a rule of the parser
	happens   []string
	witnesses []string
}

func (r *pageRow) String() string { return fmt.Sprintf("%s:%d: %q", httpPage, r.line, r.what) }

var quotedNames = regexp.MustCompile("`([^`]+)`")

// readRows reads the tables whose first column is "what".
func readRows(t *testing.T) []*pageRow {
	t.Helper()
	page, err := os.ReadFile(httpPage)
	if err != nil {
		t.Fatal(err)
	}
	var rows []*pageRow
	for i, line := range strings.Split(string(page), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| what |") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 4 {
			t.Fatalf("%s:%d has %d cells, want 4", httpPage, i+1, len(cells))
		}
		row := &pageRow{line: i + 1, what: strings.ReplaceAll(cells[0], "`", ""), happens: strings.Split(cells[1], ", ")}
		for _, name := range quotedNames.FindAllStringSubmatch(cells[3], -1) {
			row.witnesses = append(row.witnesses, name[1])
		}
		if len(row.witnesses) == 0 {
			t.Errorf("%s has no witness", row)
		}
		rows = append(rows, row)
	}
	return rows
}

// rule returns the rule that the row begins with, "" if it is none.
func (r *pageRow) rule(rules map[string]int) (found string) {
	for rule := range rules {
		if len(rule) <= len(found) || len(r.what) < len(rule) || !strings.EqualFold(r.what[:len(rule)], rule) {
			continue
		}
		if rest := r.what[len(rule):]; rest == "" || strings.HasPrefix(rest, " (") || strings.HasPrefix(rest, ", ") {
			found = rule
		}
	}
	return found
}

// mayEnd reports whether the row is about requests and names the status, or
// about answers.
func (r *pageRow) mayEnd(status int) bool {
	return slices.Contains([]string{strconv.Itoa(status), "502", "cut"}, r.happens[0])
}

// check judges one witness.
func (r *pageRow) check(name, rule string, cases map[string]*corpusCase) error {
	kind, rest, _ := strings.Cut(name, "/")
	switch {
	case kind == "requests" || kind == "answers":
		c := cases[name]
		if c == nil {
			return fmt.Errorf("there is no such case")
		}
		if broken := brokenRule(kind, c); r.breaks && broken != rule {
			return fmt.Errorf("it breaks %q", broken)
		}
		return r.checkCase(c)
	case kind == "exchange":
		return r.checkScript(rest)
	}
	return r.checkTest(kind, rest)
}

var statusLines = regexp.MustCompile(`HTTP/1\.1 (\d{3})`)

// checkCase compares how a case ends with what the row says.
func (r *pageRow) checkCase(c *corpusCase) error {
	var got []string
	if c.ending.ours {
		for _, status := range statusLines.FindAllStringSubmatch(c.ending.out, -1) {
			got = append(got, status[1])
		}
	} else if len(c.backend) > 0 {
		got = append(got, "passes", "rewritten", "dropped", "sent again")
	}
	got = append(got, map[string]string{"out": "goes on"}[c.ending.how], c.ending.how)
	got = append(got, map[bool]string{true: "backend closed", false: "backend kept"}[c.ending.fresh])
	return r.compareEnd(got)
}

func (r *pageRow) compareEnd(got []string) error {
	for _, happens := range r.happens {
		if !slices.Contains(got, happens) {
			return fmt.Errorf("it does not show %q, but %q", happens, got)
		}
	}
	return nil
}

// checkScript looks for the same in a script. Of what has no status, scripts
// show more than can be read off.
func (r *pageRow) checkScript(name string) error {
	script, err := txtar.ParseFile(filepath.Join("testdata/exchange", name+".txtar"))
	if err != nil {
		return err
	}
	text := ""
	for _, section := range script.Files {
		if strings.HasPrefix(section.Name, "got") {
			text += section.Name + "\n" + string(section.Data)
		}
	}
	for _, happens := range r.happens {
		ok := true
		switch {
		case happens[0] >= '1' && happens[0] <= '5':
			ok = strings.Contains(text, "{page "+happens)
		case happens == "closed":
			ok = strings.Contains(text, "got eof") || strings.Contains(text, "close}")
		case happens == "cut":
			ok = strings.Contains(text, "got cut")
		}
		if !ok {
			return fmt.Errorf("it does not show %q", happens)
		}
	}
	return nil
}

// checkTest looks for a test beside this one; of TestStrictHeads it names a
// row, which says how the answer begins.
func (r *pageRow) checkTest(test, row string) error {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		return err
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if !strings.Contains(string(source), "\nfunc "+test+"(t *testing.T) {") {
			continue
		}
		if row == "" {
			return nil
		}
		found := regexp.MustCompile(`\{"` + regexp.QuoteMeta(row) + `", .*, "([^"]+)"\},\n`).FindSubmatch(source)
		if found == nil {
			return fmt.Errorf("there is no such row in %s", file)
		}
		return r.compareEnd([]string{string(found[1])})
	}
	return fmt.Errorf("there is no such test")
}

// casesByName returns all cases of the corpus, as KIND/CLASS/NAME.
func casesByName(t *testing.T) map[string]*corpusCase {
	t.Helper()
	cases := make(map[string]*corpusCase)
	for _, kind := range []string{"requests", "answers"} {
		for _, archive := range readCorpus(t, kind) {
			for _, c := range archive.cases {
				cases[kind+"/"+archive.class+"/"+c.name] = c
			}
		}
	}
	return cases
}

// TestHTTPPageNames: what the page's list of behaviours names exists.
func TestHTTPPageNames(t *testing.T) {
	page, err := os.ReadFile(httpPage)
	if err != nil {
		t.Fatal(err)
	}
	_, list, ok := strings.Cut(string(page), "\n## What test-suites of other proxies look at\n")
	if !ok {
		t.Fatal("the list is gone")
	}
	tests := testNames(t)
	for _, name := range quotedNames.FindAllStringSubmatch(list, -1) {
		kind, rest, slash := strings.Cut(name[1], "/")
		class, _, _ := strings.Cut(rest, "/")
		file := filepath.Join("testdata", "corpus", kind, class+".txtar")
		if kind == "exchange" {
			file = filepath.Join("testdata", "exchange", rest+".txtar")
		}
		if _, err := os.Stat(file); slash && err != nil || !slash && !tests[name[1]] {
			t.Errorf("%s names %s, which does not exist", httpPage, name[1])
		}
	}
}

var testFuncs = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)

// testNames returns the tests and fuzz targets of the rooms that HTTP passes.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	for _, room := range []string{".", "../internal/http1", "../internal/pool", "../tlsconfig", "../test/e2e"} {
		files, err := filepath.Glob(filepath.Join(room, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range testFuncs.FindAllStringSubmatch(string(source), -1) {
				names[name[1]] = true
			}
		}
	}
	return names
}
