package proxy

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write what the standard data plane does otherwise into the corpus")

const (
	// recorders is how many cases are recorded at once: they wait for silence.
	recorders = 16
	// silence is after which nothing more is to come. It is longer than
	// continueAfter.
	silence = 1500 * time.Millisecond
)

// updateCorpus plays each case on the standard data plane without expecting
// anything, and writes beside it what comes out otherwise. A difference that
// stood there keeps its line; a new one has none, and is not read until somebody
// has said what it is.
func updateCorpus(t *testing.T) {
	stages := openStages(t, StandardPlane, recorders)
	for _, kind := range []string{"requests", "answers"} {
		for _, archive := range readCorpus(t, kind) {
			instead := make([][]txtar.File, len(archive.cases))
			t.Run(kind+"/"+archive.class, func(t *testing.T) {
				for i, c := range archive.cases {
					t.Run(c.name, func(t *testing.T) {
						t.Parallel()
						s := <-stages
						defer func() { stages <- s }()
						instead[i] = s.record(t, c)
					})
				}
			})
			rewriteArchive(t, filepath.Join("testdata/corpus", kind, archive.class+".txtar"), instead)
		}
	}
}

// rewriteArchive puts sections behind those of their cases, in place of the
// former ones.
func rewriteArchive(t *testing.T, file string, instead [][]txtar.File) {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	former := archive.Files
	archive.Files = nil
	for i, f := range former {
		name, section, _ := strings.Cut(f.Name, "/")
		if !strings.HasPrefix(section, "standard") {
			archive.Files = append(archive.Files, f)
		}
		if i+1 == len(former) || !strings.HasPrefix(former[i+1].Name, name+"/") {
			archive.Files = append(archive.Files, instead[0]...)
			instead = instead[1:]
		}
	}
	if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// record plays a case and returns the sections that say what differs.
func (s *corpusStage) record(t *testing.T, c *corpusCase) []txtar.File {
	r := &corpusRun{t: t, stage: s, c: c, backend: listenCorpus(t, c)}
	s.gateway.Apply(compileTable(t, tenantWith(c.tenant, r.backend.addr()), setup{}))
	defer s.gateway.Apply(s.idle)
	r.client = s.dial(t)
	write(t, r.client, c.in)
	if c.inEnds {
		r.endHalf()
	}
	got := &corpusCase{}
	got.ending.out, got.ending.how = r.recordEnd()
	if got.ending.how != "out" {
		r.client = s.dial(t)
	}
	if got.ending.how == "out" || r.backend.asked() {
		write(t, r.client, expand(nextRequest))
		_, _ = r.recordRest(len(expand(nextAnswer)))
	}
	_ = r.client.NetConn().Close()
	s.gateway.Apply(s.idle)
	for _, all := range r.backend.all(t) {
		switch at := strings.LastIndex(all, "GET /next HTTP/1.1\r\n"); {
		case at < 0:
			got.backend = append(got.backend, all)
		case at > 0:
			got.backend = append(got.backend, all[:at])
		default:
			got.ending.fresh = len(got.backend) > 0
		}
	}
	return c.differences(t, got)
}

// recordEnd receives what the client receives, and sends what is to be sent later.
func (r *corpusRun) recordEnd() (got, how string) {
	got, how = r.recordRest(math.MaxInt)
	if r.c.later != "" {
		write(r.t, r.backend.conn(r.t, 0), r.c.later)
		more := ""
		more, how = r.recordRest(math.MaxInt)
		got += more
	}
	if how == "out" && strings.Contains(got, "HTTP/1.1 101") {
		r.endHalf()
		more, _ := r.recordRest(math.MaxInt)
		return got + more, "tunnel"
	}
	return got, how
}

// recordRest receives until the client's stream ends, there is silence, or enough
// has come.
func (r *corpusRun) recordRest(enough int) (got, how string) {
	for piece := make([]byte, copyRoom); len(got) < enough; {
		_ = r.client.SetReadDeadline(time.Now().Add(silence))
		n, err := r.client.Read(piece)
		got += string(piece[:n])
		switch {
		case err == nil:
		case isTimeout(err):
			return got, "out"
		case err != io.EOF || r.client.NetConn().(*endSeer).ended:
			return got, "cut"
		default:
			return got, "closed"
		}
	}
	return got, "out"
}

// differences returns the sections that stand for those of c in which got
// differs, and the line about them.
func (c *corpusCase) differences(t *testing.T, got *corpusCase) []txtar.File {
	t.Helper()
	sections := []txtar.File{{Name: c.name + "/standard", Data: []byte(c.differs + "\n")}}
	add := func(name, came string) {
		sections = append(sections, txtar.File{Name: c.name + "/standard/" + name, Data: []byte(written(t, came))})
	}
	if !slices.EqualFunc(c.backend, got.backend, sameForm) {
		add("backend", strings.Join(got.backend[:min(len(got.backend), 1)], ""))
		for i := 1; i < len(got.backend); i++ {
			add(fmt.Sprintf("backend%d", i+1), got.backend[i])
		}
	}
	how := got.ending.how
	if how == "tunnel" {
		got.ending.fresh = true
	} else if got.ending.fresh {
		how += " fresh"
	}
	if !sameForm(c.ending.out, got.ending.out) || c.ending.how != got.ending.how || c.ending.fresh != got.ending.fresh {
		add(how, got.ending.out)
	}
	if len(sections) == 1 {
		return nil
	}
	return sections
}

// sameForm compares what was wanted with what came.
func sameForm(want, came string) bool { return marked(want) == marked(came) }

var (
	dateField = regexp.MustCompile(`Date: [^\r]{29}\r\n`)
	refField  = regexp.MustCompile(`X-Request-Id: [` + refAlphabet + `]{16}\r\n`)
	refOfPage = regexp.MustCompile(`<code>[` + refAlphabet + `]{16}</code>`)
)

// marked is what counts of bytes that came, with placeholders for what changes.
func marked(came string) string {
	s := unorderedHeads(came)
	s = dateField.ReplaceAllString(s, "Date: "+dateMark+"\r\n")
	s = refField.ReplaceAllString(s, "X-Request-Id: "+refMark+"\r\n")
	return refOfPage.ReplaceAllString(s, "<code>"+refMark+"</code>")
}

// written is how a section says what came.
func written(t *testing.T, came string) string {
	t.Helper()
	s := marked(came)
	for _, status := range []int{400, 404, 405, 414, 417, 421, 431, 502} {
		page := fmt.Sprintf("{page %d close}", status)
		s = strings.ReplaceAll(s, unorderedHeads(expand(page+"\n")), page+"\r\n")
	}
	forwarded := strings.SplitAfter(expand("{fwd}\n"), "\r\n")
	slices.Sort(forwarded)
	s = strings.ReplaceAll(s, strings.Join(forwarded, ""), "{fwd}\r\n")
	s = heads.ReplaceAllStringFunc(s, func(head string) string {
		rest := strings.Replace(head, "Date: "+dateMark+"\r\n", "", 1)
		rest = strings.Replace(rest, "X-Request-Id: "+refMark+"\r\n", "", 1)
		line, fields, _ := strings.Cut(rest, "\r\n")
		if len(rest)+len(expand("{std}\n")) != len(head) {
			return head
		}
		return line + "\r\n{std}\r\n" + fields
	})
	lines := strings.Split(s, "\r\n")
	for i, line := range lines {
		lines[i] = escaped(line)
	}
	s = strings.Join(lines, "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\\\n"
	}
	if !sameForm(expand(unroll(s)), came) {
		t.Errorf("%q is written as %q, and not read as that", came, s)
	}
	return s
}

// escaped writes what is not plain text as \x00 and the like.
func escaped(line string) string {
	var b strings.Builder
	for _, c := range []byte(line) {
		if c < ' ' || c == '\\' || c > '~' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
