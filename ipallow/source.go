package ipallow

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"
	"time"
)

// SourceKind is how a live source is asked.
type SourceKind uint8

// The kinds.
const (
	DNSSource  SourceKind = iota // the addresses of a name
	FileSource                   // the lines of a file
	URLSource                    // the lines of what an https URL answers
)

// String returns the key that operators write.
func (k SourceKind) String() string {
	switch k {
	case FileSource:
		return "file"
	case URLSource:
		return "url"
	}
	return "dns"
}

// Source is where entries of a set come from that nobody writes: what it lists
// changes by itself. It is immutable, and asks nobody; see [Live] for what it
// lists.
type Source struct {
	Kind SourceKind
	// Target is the name, the URL, or the path: of the main file as it is
	// written, of a tenant file from the main file's folder.
	Target string
	CA     string // path of the authorities of a URL, as Target; "" for the system's
	// Owner is the tenant whose text names it; "" for the main file's own.
	Owner string
	// Confined is set for what a tenant file names: it leads neither out of the
	// main file's folder nor into the networks that the gateway is in.
	Confined bool

	Refresh time.Duration // how often it is asked
	Keep    time.Duration // for how long after its last good answer that one admits anybody
	Max     int           // entries; an answer with more is not taken

	Set string // the set that names it first
	Pos Pos    // where

	place, id SourceID
}

// SourceID is equal for two sources that are asked for the same, in the same
// way, by the same tenant.
type SourceID [sha256.Size]byte

// ID tells sources apart, whatever set names them and wherever it stands.
func (s *Source) ID() SourceID { return s.id }

// Place is equal for two sources that are asked for the same, however often and
// whatever of it they take: what one was told, the other may go on with.
func (s *Source) Place() SourceID { return s.place }

// String names the source as an operator would. The query of a URL, which may
// hold a secret, is left out.
func (s *Source) String() string {
	target := s.Target
	if s.Kind == URLSource {
		target, _, _ = strings.Cut(target, "?")
	}
	return s.Kind.String() + " " + oneLine(target)
}

// identified fills in the place and the id.
func (s *Source) identified() *Source {
	hash := sha256.New()
	for _, text := range []string{s.Kind.String(), s.Target, s.CA, s.Owner, strconv.FormatBool(s.Confined)} {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		hash.Write([]byte(text))
	}
	hash.Sum(s.place[:0])
	for _, n := range []int64{int64(s.Refresh), int64(s.Keep), int64(s.Max)} {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
	}
	hash.Sum(s.id[:0])
	return s
}

// mention is a source as an entry of a set names it.
type mention struct {
	source *Source
	until  int64 // the first second at which the entry no longer counts; never if it stays
	why    string
	pos    Pos
}
