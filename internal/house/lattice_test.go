package house

import (
	"bufio"
	"bytes"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// laws is laws.txt, read.
type laws struct {
	floor   map[string]int    // room -> floor
	apart   map[string]string // room -> reason
	never   []ban
	decodes map[string]string // room that may import the decoder outside spec.go -> reason
	alone   map[string]string // import path -> the one file that may import it
	sleeps  map[string]string // file that may sleep -> reason
}

// A ban is one forbidden arrow.
type ban struct {
	from, to, reason string
}

const decoder = "internal/conf"

func parseLaws(text []byte) (*laws, error) {
	l := &laws{
		floor: map[string]int{}, apart: map[string]string{},
		decodes: map[string]string{}, alone: map[string]string{}, sleeps: map[string]string{},
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if !l.read(line) {
			return nil, fmt.Errorf("line %d: %q is not a law; write `floor N: ROOM...`, `apart ROOM: WHY`, `never FROM -> TO: WHY`, `alone PATH: FILE`, `decodes ROOM: WHY` or `sleeps FILE: WHY`", n, line)
		}
	}
	return l, lines.Err()
}

func (l *laws) read(line string) bool {
	head, tail, ok := strings.Cut(line, ":")
	word, what, ok2 := strings.Cut(head, " ")
	tail = strings.TrimSpace(tail)
	if !ok || !ok2 || tail == "" {
		return false
	}
	switch word {
	case "floor":
		n, err := strconv.Atoi(what)
		for _, room := range strings.Fields(tail) {
			l.floor[room] = n
		}
		return err == nil
	case "apart":
		l.apart[what] = tail
	case "alone":
		l.alone[what] = tail
	case "decodes":
		l.decodes[what] = tail
	case "sleeps":
		l.sleeps[what] = tail
	case "never":
		from, to, arrow := strings.Cut(what, " -> ")
		l.never = append(l.never, ban{from, to, tail})
		return arrow
	default:
		return false
	}
	return true
}

// room is the longest entry that holds the package: its own path, or a folder above it.
func (l *laws) room(pkg string) (room string, floor int, ok bool) {
	for p := pkg; p != "."; p = path.Dir(p) {
		if n, found := l.floor[p]; found {
			return p, n, true
		}
	}
	return "", 0, false
}

// imports judges every import of every file that ships.
func imports(t *tree) (out []finding) {
	for _, s := range t.sources {
		if s.test {
			continue
		}
		_, _, housed := t.laws.room(s.dir())
		_, apart := t.laws.apart[s.dir()]
		if !housed && !apart {
			out = append(out, t.at(s.file.Package, "package %s has no floor; give it one in internal/house/laws.txt", s.dir()))
			continue
		}
		for _, spec := range s.file.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			if text := t.judgeImport(s, target); text != "" {
				out = append(out, t.at(spec.Pos(), "%s", text))
			}
		}
	}
	return out
}

// judgeImport says what is wrong with an import, or nothing.
func (t *tree) judgeImport(s *source, target string) string {
	from := s.dir()
	if file, ok := t.laws.alone[target]; ok && s.path != file {
		return fmt.Sprintf("%s is imported by %s alone", target, file)
	}
	to, inside := strings.CutPrefix(target, t.module+"/")
	for _, b := range t.laws.never {
		room, _, _ := t.laws.room(from)
		if (b.from == from || b.from == room) && matches(b.to, to) {
			return fmt.Sprintf("%s must not import %s: %s", from, to, b.reason)
		}
	}
	if !inside {
		return ""
	}
	if reason, ok := t.laws.apart[from]; ok {
		return fmt.Sprintf("%s imports nothing of the house: %s", from, reason)
	}
	if reason, ok := t.laws.apart[to]; ok {
		return fmt.Sprintf("nothing imports %s: %s", to, reason)
	}
	fromRoom, fromFloor, _ := t.laws.room(from)
	toRoom, toFloor, housed := t.laws.room(to)
	switch {
	case !housed:
		return fmt.Sprintf("%s imports %s, which has no floor", from, to)
	case fromRoom == toRoom:
		return ""
	case toFloor == fromFloor:
		return fmt.Sprintf("%s must not import %s: both stand on floor %d, and siblings do not know each other", from, to, toFloor)
	case toFloor > fromFloor:
		return fmt.Sprintf("%s (floor %d) must not import %s (floor %d): arrows only go down", from, fromFloor, to, toFloor)
	}
	return ""
}

// matches reports whether an import path is the pattern, or below it where the pattern ends in /...
func matches(pattern, target string) bool {
	if prefix, tree := strings.CutSuffix(pattern, "/..."); tree {
		return target == prefix || strings.HasPrefix(target, prefix+"/")
	}
	return target == pattern
}

// yamlStops: outside the rooms listed, only a file named spec.go or …spec.go knows how things are written.
func yamlStops(t *tree) (out []finding) {
	for _, s := range t.sources {
		room, _, _ := t.laws.room(s.dir())
		if _, ok := t.laws.decodes[room]; ok || s.test || strings.HasSuffix(s.path, "spec.go") {
			continue
		}
		for _, spec := range s.file.Imports {
			if target, _ := strconv.Unquote(spec.Path.Value); target == t.module+"/"+decoder {
				out = append(out, t.at(spec.Pos(), "YAML stops at spec.go: %s must not import %s", path.Base(s.path), decoder))
			}
		}
	}
	return out
}
