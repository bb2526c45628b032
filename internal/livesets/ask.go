package livesets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"time"

	"gatehouse/ipallow"
)

// answer is what a source listed.
type answer struct {
	prefixes []netip.Prefix
	same     bool   // it is what it was when it had the mark that was shown
	mark     string // to be shown the next time; "" for none
}

// The time that one question may take.
const (
	askTimeMax = 30 * time.Second
	// textBytesMax holds 100,000 networks of IPv6, with notes.
	textBytesMax = 8 << 20
)

// Resolver returns the addresses of a name: *dnsquery.Resolver.
type Resolver interface {
	EveryAddress(ctx context.Context, host string) ([]netip.Addr, error)
}

// asker asks sources. It is immutable.
type asker struct {
	resolver Resolver
	base     string                     // the main file's folder
	mayDial  func(netip.AddrPort) error // judges an address before it is dialled
}

// ask asks a source once. mark is what its last answer came with.
func (a *asker) ask(ctx context.Context, s *ipallow.Source, mark string) (got answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeMax)
	defer cancel()
	switch s.Kind {
	case ipallow.FileSource:
		got, err = a.readFile(s, mark, time.Now())
	case ipallow.URLSource:
		got, err = a.fetch(ctx, s, mark)
	default:
		got.prefixes, err = a.lookUp(ctx, s)
	}
	return got, err
}

// lookUp returns the public addresses of a name.
func (a *asker) lookUp(ctx context.Context, s *ipallow.Source) ([]netip.Prefix, error) {
	addresses, err := a.resolver.EveryAddress(ctx, s.Target)
	if err != nil {
		return nil, err
	}
	var prefixes []netip.Prefix
	for _, addr := range addresses {
		if addr = addr.Unmap(); isPublic(addr) {
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	if len(prefixes) == 0 && len(addresses) > 0 {
		return nil, fmt.Errorf("it has private addresses alone, like %s; a live source lists public ones", addresses[0])
	}
	return prefixes, nil
}

// sharedSpace is what carriers use behind their own translation (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// isPublic reports whether an address means the same machine everywhere.
func isPublic(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !sharedSpace.Contains(a)
}

// causeOf returns what the system said about a file, without its path.
func causeOf(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
