package proxy

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// corpusArchive is the cases of one class.
type corpusArchive struct {
	class string
	cases []*corpusCase
}

// corpusCase is one recorded exchange. Its bytes are expanded.
type corpusCase struct {
	name, why string
	tenant    string // as written
	in        string
	inEnds    bool // the client ends its half behind it
	answers   []corpusAnswer
	later     string
	backend   []string // by connection
	ending    corpusEnding
	differs   string       // what the standard data plane does otherwise, "" for nothing
	standard  []txtar.File // what stands for the sections there
	sections  map[string]bool
}

// corpusAnswer is one answer of the backend.
type corpusAnswer struct {
	text  string
	early bool
	end   string // "", "fin" or "rst"
}

// corpusEnding is what the client receives and how that ends.
type corpusEnding struct {
	out   string
	how   string // "out", "closed", "cut" or "tunnel"
	fresh bool   // the backend's connection has ended
	ours  bool   // pages of ours are part of it
}

const (
	plainRequest = "GET / HTTP/1.1\nHost: a.example\n\n"
	plainForward = "GET / HTTP/1.1\nHost: a.example\n{fwd}\n\n"
)

// readCorpus reads all archives of a kind, "requests" or "answers".
func readCorpus(t testing.TB, kind string) []*corpusArchive {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata/corpus", kind, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", kind, err)
	}
	var archives []*corpusArchive
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		cases, err := readCases(archive)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		archives = append(archives, &corpusArchive{strings.TrimSuffix(filepath.Base(file), ".txtar"), cases})
	}
	return archives
}

// readCases reads the cases of one archive.
func readCases(archive *txtar.Archive) ([]*corpusCase, error) {
	var cases []*corpusCase
	for _, file := range archive.Files {
		name, section, isSection := strings.Cut(file.Name, "/")
		if !isSection {
			cases = append(cases, &corpusCase{
				name: name, why: strings.TrimSuffix(string(file.Data), "\n"),
				sections: make(map[string]bool),
			})
			continue
		}
		if len(cases) == 0 || cases[len(cases)-1].name != name {
			return nil, fmt.Errorf("section %q stands in no case of that name", file.Name)
		}
		c := cases[len(cases)-1]
		if c.sections[section] {
			return nil, fmt.Errorf("section %q stands twice", file.Name)
		}
		c.sections[section] = true
		if err := c.read(section, file.Data); err != nil {
			return nil, fmt.Errorf("section %q: %w", file.Name, err)
		}
	}
	for _, c := range cases {
		if err := c.conclude(); err != nil {
			return nil, fmt.Errorf("case %q: %w", c.name, err)
		}
	}
	return cases, nil
}

// read takes in one section.
func (c *corpusCase) read(section string, data []byte) error {
	if instead, ok := strings.CutPrefix(section, "standard/"); ok {
		c.standard = append(c.standard, txtar.File{Name: instead, Data: data})
		return nil
	}
	words := strings.Fields(section)
	text := unroll(string(data))
	actor, number := numbered(words[0])
	manner := strings.Join(words[1:], " ")
	switch {
	case actor == "in" && (manner == "" || manner == "ended"):
		c.in, c.inEnds = expand(text), manner == "ended"
	case actor == "answer" && number == len(c.answers)+1:
		return c.readAnswer(text, words[1:])
	case section == "later":
		c.later = expand(text)
	case actor == "backend" && manner == "" && number == len(c.backend)+1:
		c.backend = append(c.backend, expand(text))
	case section == "tenant":
		c.tenant = text
	case section == "standard":
		c.differs = strings.TrimSuffix(text, "\n")
	case (actor == "out" || actor == "closed" || actor == "cut" || actor == "tunnel") && (manner == "" || manner == "fresh"):
		if c.ending.how != "" {
			return fmt.Errorf("the case ends by %q already", c.ending.how)
		}
		c.ending = corpusEnding{
			out: expand(text), how: actor, fresh: manner == "fresh" || actor == "tunnel",
			ours: strings.Contains(text, "{page "),
		}
	default:
		return fmt.Errorf("nobody of that name, or out of order")
	}
	return nil
}

func (c *corpusCase) readAnswer(text string, manners []string) error {
	a := corpusAnswer{text: expand(text)}
	for _, manner := range manners {
		switch manner {
		case "early":
			a.early = true
		case "fin", "rst":
			a.end = manner
		default:
			return fmt.Errorf("nobody answers %q", manner)
		}
	}
	c.answers = append(c.answers, a)
	return nil
}

// conclude fills in what need not be written.
func (c *corpusCase) conclude() error {
	switch {
	case c.why == "" || strings.Contains(c.why, "\n"):
		return fmt.Errorf("its first section is not one line")
	case c.ending.how == "":
		return fmt.Errorf("nothing says what the client receives")
	case c.inEnds && c.ending.how == "out":
		return fmt.Errorf("a client that has ended its half sends no other request")
	case !*update && (c.differs == "") != (len(c.standard) == 0) || strings.Contains(c.differs, "\n"):
		return fmt.Errorf("what the standard data plane does otherwise is not one line and its sections")
	}
	if c.in == "" {
		c.in = expand(plainRequest)
		if len(c.backend) == 0 {
			c.backend = []string{expand(plainForward)}
		}
	}
	return nil
}

// on returns the case as a data plane plays it.
func (c *corpusCase) on(plane DataPlane) (*corpusCase, error) {
	if plane != StandardPlane || c.differs == "" {
		return c, nil
	}
	here := *c
	here.standard, here.differs = nil, ""
	here.backend, here.ending = nil, corpusEnding{}
	for _, section := range c.standard {
		if err := here.read(section.Name, section.Data); err != nil {
			return nil, err
		}
	}
	switch {
	case here.backend == nil:
		here.backend = c.backend
	case here.backend[0] == "":
		here.backend = nil
	}
	if here.ending.how == "" {
		here.ending = c.ending
	}
	return &here, nil
}

// numbered splits "answer2"; "answer" is the first.
func numbered(word string) (string, int) {
	name := strings.TrimRight(word, "23456789")
	if n, err := strconv.Atoi(word[len(name):]); err == nil {
		return name, n
	}
	return name, 1
}

var unrolled = regexp.MustCompile(`\{(\d+) times ([^}]*)\}`)

// unroll writes out {9 times ab}.
func unroll(s string) string {
	return unrolled.ReplaceAllStringFunc(s, func(m string) string {
		parts := unrolled.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[1])
		return strings.Repeat(parts[2], n)
	})
}
