package livesets

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"gatehouse/ipallow"
)

// lineBytesMax bounds a line, its note included.
const lineBytesMax = 1 << 10

// parseList reads an address or network on each line; what stands behind # or ;
// is a note. A text with one line that is neither is refused as a whole: it may
// be a page that says that something went wrong.
func parseList(text []byte, most int) ([]netip.Prefix, error) {
	var prefixes []netip.Prefix
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if len(line) > lineBytesMax {
			return nil, fmt.Errorf("line %d has more than %d bytes", number, lineBytesMax)
		}
		word := line
		if end := bytes.IndexAny(line, "#;"); end >= 0 {
			word = line[:end]
		}
		entry := strings.TrimSpace(string(word))
		if number == 1 {
			entry = strings.TrimSpace(strings.TrimPrefix(entry, "\ufeff"))
		}
		if entry == "" {
			continue
		}
		p, err := ipallow.ParsePrefix(entry)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, bounded(err))
		}
		if len(prefixes) == most {
			return nil, tooMany(most)
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}

// shownBytesMax bounds what a stranger's words take of an error.
const shownBytesMax = 200

// bounded keeps what an error quotes from filling the log.
func bounded(err error) error {
	if text := err.Error(); len(text) > shownBytesMax {
		return errors.New(strings.ToValidUTF8(text[:shownBytesMax], "") + "…")
	}
	return err
}

func tooMany(most int) error {
	return fmt.Errorf("it lists more than %d entries; max says how many it may", most)
}

// errNobody is an answer that would shut everybody out.
var errNobody = errors.New("it lists nobody, which is taken for a mistake; to list nobody, take the source out of the set")

// compile holds an answer to what may be taken.
func compile(prefixes []netip.Prefix, most int) (*ipallow.Contents, error) {
	switch {
	case len(prefixes) == 0:
		return nil, errNobody
	case len(prefixes) > most:
		return nil, tooMany(most)
	}
	return ipallow.NewContents(prefixes)
}
