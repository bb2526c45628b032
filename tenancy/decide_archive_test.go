package tenancy_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"gatehouse/tenancy"
)

// TestDecide tells stories of what is decided. The file "ask" of an archive is
// a list of questions:
//
//	GET URL from IP [sni NAME] [at TIME] [on LISTENER]   what happens to a request, gate by gate
//	brief GET URL ...                                     the verdict alone
//	to URL from IP ...                                    where a redirect leads, the query as it is written
//	location URL                                          where plain HTTP is redirected to
//	apply N                                               compile with the files below then/N/ laid over
//	apply N force                                         and apply it whatever the force rule says
//	lever block PREFIX until TIME                         operators order something: also suspend TENANT,
//	                                                      maintenance TENANT [until TIME], drain TENANT[/BACKEND] [until TIME]
//	dial IP:PORT                                          whether a backend may be dialled there
//
// A file below then/N/ that says "deleted" is deleted by that step.
func TestDecide(t *testing.T) {
	eachArchive(t, "decide", func(t *testing.T, archive *txtar.Archive) string {
		s := &story{t: t, tree: newTree(t, archive)}
		s.later = s.tree.takeLater()
		s.compile("start", false)
		for _, f := range archive.Files {
			if f.Name != "ask" {
				continue
			}
			for line := range strings.Lines(string(f.Data)) {
				s.answer(strings.TrimSpace(line))
			}
		}
		return s.out.String()
	})
}

type story struct {
	t      *testing.T
	tree   *tree
	later  map[string]fstest.MapFS
	table  *tenancy.Table
	levers tenancy.Levers
	out    strings.Builder
}

// takeLater removes the files of later steps from the tree.
func (tr *tree) takeLater() map[string]fstest.MapFS {
	later := make(map[string]fstest.MapFS)
	for name, f := range tr.files {
		rest, ok := strings.CutPrefix(name, "then/")
		if !ok {
			continue
		}
		step, file, _ := strings.Cut(rest, "/")
		if later[step] == nil {
			later[step] = fstest.MapFS{}
		}
		later[step][file] = f
		delete(tr.files, name)
	}
	return later
}

// overlay lays the files of a step over the tree.
func (tr *tree) overlay(step fstest.MapFS) {
	tr.files = maps.Clone(tr.files)
	for name, f := range step {
		if strings.TrimSpace(string(f.Data)) == "deleted" {
			delete(tr.files, name)
		} else {
			tr.files[name] = f
		}
	}
}

func (s *story) answer(line string) {
	words := strings.Fields(line)
	switch {
	case len(words) == 0:
	case words[0] == "#":
		fmt.Fprintln(&s.out, line)
	case words[0] == "apply":
		s.tree.overlay(s.later[words[1]])
		s.compile(line, len(words) > 2)
	case words[0] == "lever":
		s.order(words[1:])
		fmt.Fprintln(&s.out, line)
	case words[0] == "location":
		s.location(words[1])
	case words[0] == "dial":
		fmt.Fprintf(&s.out, "%s: %v\n", line, s.table.MayDial(netip.MustParseAddrPort(words[1])))
	case words[0] == "to":
		s.redirected(words)
	case words[0] == "brief":
		v := s.table.Judge(s.question(words[1:]), nil)
		fmt.Fprintf(&s.out, "%s: %s\n", strings.Join(words[1:], " "), describe(v))
	default:
		var trace tenancy.Trace
		v := s.table.Judge(s.question(words), &trace)
		fmt.Fprintln(&s.out, line)
		for _, step := range trace.Steps {
			fmt.Fprintf(&s.out, "  %s\n", step)
		}
		fmt.Fprintf(&s.out, "  = %s\n", describe(v))
	}
}

// order lays one more order over the table.
func (s *story) order(words []string) {
	o := tenancy.Order{By: "uid 0", At: testNow, Why: "a story"}
	if len(words) > 3 {
		until, err := time.Parse(time.RFC3339, words[3])
		if err != nil {
			s.t.Fatal(err)
		}
		o.Until = until
	}
	switch words[0] {
	case "block":
		s.levers.Blocks = append(s.levers.Blocks, tenancy.BlockOrder{Prefix: netip.MustParsePrefix(words[1]), Order: o})
	case "suspend":
		s.levers.Suspended = map[string]tenancy.Order{words[1]: o}
	case "maintenance":
		s.levers.Maintenance = map[string]tenancy.Order{words[1]: o}
	case "drain":
		tenant, backend, _ := strings.Cut(words[1], "/")
		s.levers.Drained = append(s.levers.Drained, tenancy.DrainOrder{Tenant: tenant, Backend: backend, Order: o})
	case "undrain":
		s.levers.Drained = slices.DeleteFunc(s.levers.Drained, func(d tenancy.DrainOrder) bool { return d.Of() == words[1] })
	default:
		s.t.Fatalf("unknown lever %q", words[0])
	}
	s.table = s.table.WithLevers(s.levers, s.table.Generation()+1)
}

func (s *story) question(words []string) tenancy.Question {
	q := tenancy.Question{Method: words[0]}
	if err := q.ParseURL(words[1]); err != nil {
		s.t.Fatal(err)
	}
	for i := 2; i+1 < len(words); i += 2 {
		value := words[i+1]
		switch words[i] {
		case "from":
			q.From = netip.MustParseAddr(value)
		case "user":
			q.User = value
		case "sni":
			q.SNI = value
		case "at":
			at, err := time.Parse(time.RFC3339, value)
			if err != nil {
				s.t.Fatal(err)
			}
			q.At = at
		case "on":
			i := slices.IndexFunc(s.table.Listeners(), func(l *tenancy.Listener) bool { return l.Name == value })
			q.Listener = s.table.Listeners()[i]
		default:
			s.t.Fatalf("unknown word %q", words[i])
		}
	}
	return q
}

// describe tells a verdict with what a client would see of it.
func describe(v tenancy.Verdict) string {
	text := v.String()
	if v.Action == tenancy.Refuse {
		answer := "closed, or no handshake"
		if v.Status != 0 {
			answer = fmt.Sprint(v.Status)
		}
		if v.Until != 0 {
			answer += " until " + time.Unix(v.Until, 0).UTC().Format(time.RFC3339)
		}
		if v.Page != nil {
			answer += fmt.Sprintf(" with %q", v.Page.Bytes())
		}
		return fmt.Sprintf("%s (%s)", text, answer)
	}
	if v.Route != nil {
		for _, b := range v.Route.Backends() {
			text += " " + b.Address()
		}
	}
	return text
}

func (s *story) location(url string) {
	var q tenancy.Question
	if err := q.ParseURL(url); err != nil {
		s.t.Fatal(err)
	}
	authority := strings.SplitN(strings.TrimPrefix(url, "http://"), "/", 2)[0]
	request := &tenancy.Request{Method: []byte("GET"), Authority: []byte(authority), Path: []byte(q.Path)}
	v := s.table.Plain(request, nil)
	if v.Action != tenancy.Redirect {
		fmt.Fprintf(&s.out, "location %s: %s\n", url, describe(v))
		return
	}
	fmt.Fprintf(&s.out, "location %s: %s\n", url, s.table.AppendLocation(nil, v.Host, request.Authority, request.Path))
}

// redirected tells where a GET is led.
func (s *story) redirected(words []string) {
	words[0] = "GET"
	q := s.question(words)
	v := s.table.Judge(q, nil)
	_, query, hasQuery := strings.Cut(words[1], "?")
	target := q.Path
	if hasQuery {
		target += "?" + query
	}
	to := describe(v)
	if v.Action == tenancy.Redirect {
		to = string(s.table.AppendRedirect(nil, v, []byte(q.Host), []byte(target)))
	}
	fmt.Fprintf(&s.out, "to %s: %s\n", words[1], to)
}

// compile compiles the tree after what is applied, and applies it if it may be.
func (s *story) compile(line string, force bool) {
	table, result := s.tree.compile(s.table)
	fmt.Fprintf(&s.out, "%s: %s\n", line, summary(result))
	for _, f := range result.Report.Findings() {
		fmt.Fprintf(&s.out, "  %s\n", strings.ReplaceAll(f.String(), "\n", "\n  "))
	}
	if len(result.Broken) > 0 {
		fmt.Fprintf(&s.out, "  broken: %s\n", strings.Join(result.Broken, ", "))
	}
	if len(result.Forget) > 0 {
		fmt.Fprintf(&s.out, "  forget: %s\n", strings.Join(result.Forget, ", "))
	}
	if len(result.LastGood) > 0 {
		fmt.Fprintf(&s.out, "  keep: %s\n", strings.Join(slices.Sorted(maps.Keys(result.LastGood)), ", "))
	}
	switch {
	case !result.Applicable():
		fmt.Fprintf(&s.out, "  not applied: %d faults of the main file\n", result.MainFaults)
	case result.Force != "" && !force:
		fmt.Fprintf(&s.out, "  not applied: %s\n", result.Force)
	default:
		s.table = table.WithLevers(s.levers, table.Generation())
		for id, text := range result.LastGood {
			s.tree.lastGood[id] = text
		}
		for _, id := range result.Forget {
			delete(s.tree.lastGood, id)
		}
	}
}
