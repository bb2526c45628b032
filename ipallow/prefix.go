package ipallow

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"go4.org/netipx"
)

// PrefixError says why a text is no prefix.
type PrefixError struct {
	Text string // what is wrong with the text as written; what is expected
	Hint string // the next action; may be empty
}

// Error returns the text alone.
func (e *PrefixError) Error() string { return e.Text }

func prefixErrorf(hint, format string, args ...any) *PrefixError {
	return &PrefixError{Text: fmt.Sprintf(format, args...), Hint: hint}
}

// ParsePrefix reads "10.1.2.0/24", "2001:db8::/32" or a single address. It is
// strict, because a list that admits more than its author sees is worse than
// one that is refused: no bits beyond the length, no zone, no leading zero. An
// IPv4-mapped prefix is returned as the IPv4 prefix that it means. An error is
// a *[PrefixError].
func ParsePrefix(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, explainText(text)
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	if p != p.Masked() {
		return netip.Prefix{}, prefixErrorf("", "%q has bits beyond its length; write %s", text, unmap(p.Masked()))
	}
	return unmap(p), nil
}

// unmap turns ::ffff:a.b.c.d/(96+n) into a.b.c.d/n.
func unmap(p netip.Prefix) netip.Prefix {
	const mappedBits = 96 // RFC 4291 2.5.5.2
	if p.Addr().Is4In6() && p.Bits() >= mappedBits {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p
}

// explainText says what is wrong with a text that is neither a prefix nor an
// address, in the words of what was probably meant.
func explainText(text string) *PrefixError {
	address, length, sliced := strings.Cut(text, "/")
	if plain, zone, ok := strings.Cut(address, "%"); ok {
		return prefixErrorf("", "%q names the network interface %q; a listed address has none: write %s",
			text, zone, strings.TrimSuffix(plain+"/"+length, "/"))
	}
	if p, ok := withMask(address, length); ok {
		return prefixErrorf("", "%q has a mask instead of a length; write %s", text, p)
	}
	if plain, ok := withoutZeros(address); ok {
		return prefixErrorf("", "%q has a number with a leading zero, which some programs read as octal; write %s",
			text, strings.TrimSuffix(plain+"/"+length, "/"))
	}
	if most, ok := lengthMost(address); ok && sliced {
		return prefixErrorf("", "%q has the length %q; expected a number up to %d, or a single address without one", text, length, most)
	}
	if r, err := netipx.ParseIPRange(strings.ReplaceAll(text, " ", "")); err == nil && !sliced {
		return prefixErrorf("write its networks: "+networks(r), "%q is written from-to; expected an address or a network like 10.1.2.0/24", text)
	}
	return prefixErrorf(everybodyHint(text), "%q is not an address range; write it like 10.1.2.0/24", text)
}

// lengthMost returns how long a prefix of the address may be.
func lengthMost(address string) (most int, ok bool) {
	a, err := netip.ParseAddr(address)
	return a.BitLen(), err == nil
}

// everybodyHint tells whoever wrote a word for everybody how that is written.
func everybodyHint(text string) string {
	switch strings.ToLower(text) {
	case "*", "all", "any", "anyone", "everybody", "everyone", "internet", "public", "world":
		return "to admit everybody, write public: REASON in place of allow"
	}
	return ""
}

// withMask reads 10.1.2.0 and 255.255.255.0.
func withMask(address, mask string) (netip.Prefix, bool) {
	a, errA := netip.ParseAddr(address)
	m, errM := netip.ParseAddr(mask)
	if errA != nil || errM != nil || !a.Is4() || !m.Is4() {
		return netip.Prefix{}, false
	}
	for bits := 0; bits <= 32; bits++ {
		ones := netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), bits).Masked().Addr()
		if ones == m {
			return netip.PrefixFrom(a, bits).Masked(), true
		}
	}
	return netip.Prefix{}, false
}

// withoutZeros reads 010.001.2.3 as 10.1.2.3.
func withoutZeros(address string) (plain string, ok bool) {
	octets := strings.Split(address, ".")
	if len(octets) != 4 {
		return "", false
	}
	for i, octet := range octets {
		n, err := strconv.ParseUint(octet, 10, 8)
		if err != nil {
			return "", false
		}
		octets[i] = strconv.FormatUint(n, 10)
	}
	plain = strings.Join(octets, ".")
	return plain, plain != address
}

// networks lists the prefixes of r, the first few of them.
func networks(r netipx.IPRange) string {
	const most = 4 // enough for a range that was meant as one office
	prefixes := r.Prefixes()
	words := make([]string, 0, most+1)
	for i, p := range prefixes {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(prefixes)-most))
			break
		}
		words = append(words, prefixText(p))
	}
	return strings.Join(words, ", ")
}

// prefixText writes p as an operator would: a single address without length.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}
