package pool

import "net/netip"

// Addresses at which clouds hand out credentials to whoever connects. A
// gateway that can be talked into dialling them gives its machine away
// (server-side request forgery).
var (
	metadataAWS6    = netip.MustParseAddr("fd00:ec2::254")
	metadataGCP6    = netip.MustParseAddr("fd20:ce::254")
	metadataAlibaba = netip.MustParseAddr("100.100.100.200")
	metadataAzure   = netip.MustParseAddr("168.63.129.16")
	broadcast4      = netip.MustParseAddr("255.255.255.255")
	nat64           = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052 2.1: the IPv4 address is in the last 4 bytes
	sixToFour       = netip.MustParsePrefix("2002::/16")    // RFC 3056 2: it is in bytes 2 to 5
)

// ForbiddenAddr reports whether a may never be a backend's address, and what
// it is instead, as a noun phrase with its article. It is asked about literal
// addresses when the table is compiled and about every address when it is
// dialled.
func ForbiddenAddr(a netip.Addr) (why string, bad bool) {
	a = a.Unmap()
	switch {
	case !a.IsValid():
		return "no address", true
	case a.IsUnspecified():
		return "the unspecified address", true
	case a.IsMulticast():
		return "a multicast address", true
	case a.IsLinkLocalUnicast() || a.Zone() != "":
		return "a link-local address, where clouds serve their metadata", true
	case a == broadcast4:
		return "the broadcast address", true
	}
	switch a.WithZone("") {
	case metadataAWS6, metadataGCP6, metadataAlibaba, metadataAzure:
		return "the address of a cloud's metadata service", true
	}
	if a.Is6() {
		return forbiddenEmbedded(a)
	}
	return "", false
}

// forbiddenEmbedded judges the IPv4 address that a translated IPv6 address
// leads to.
func forbiddenEmbedded(a netip.Addr) (why string, bad bool) {
	raw := a.As16()
	switch {
	case nat64.Contains(a):
		return ForbiddenAddr(netip.AddrFrom4([4]byte(raw[12:16])))
	case sixToFour.Contains(a):
		return ForbiddenAddr(netip.AddrFrom4([4]byte(raw[2:6])))
	}
	return "", false
}
