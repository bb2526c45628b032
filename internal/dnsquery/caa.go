package dnsquery

import (
	"context"
	"strings"

	"github.com/miekg/dns"
)

// CAARecord is one CAA record (RFC 8659 section 4.1).
type CAARecord struct {
	Critical bool   // whoever does not know the tag must not issue
	Tag      string // lower case: issue, issuewild, iodef and others
	Value    string // bytes as they came; never printed without quoting
}

// CAA returns the CAA records that are in force for a name, and the name at
// which they stand, without its last dot: its own, or the nearest above that
// has any (RFC 8659 section 3). There may be none, which lets every CA issue;
// at is then empty. The star of a wildcard is left off by the caller. An error
// is not "none": a CA that gets no answer issues nothing.
func (r *Resolver) CAA(ctx context.Context, name string) (records []CAARecord, at string, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	full, ok := absolute(name)
	if !ok {
		return nil, "", told(&Error{Kind: NotAName}, full, dns.TypeCAA)
	}
	for at := full; at != ""; at = parent(at) {
		found, _, err := r.follow(ctx, at, dns.TypeCAA)
		if err != nil && KindOf(err) != NoSuchName {
			return nil, "", err
		}
		for _, rr := range found {
			if caa, ok := rr.(*dns.CAA); ok {
				records = append(records, CAARecord{
					Critical: caa.Flag&criticalFlag != 0, Tag: strings.ToLower(caa.Tag), Value: caa.Value,
				})
			}
		}
		if len(records) > 0 {
			return records, strings.TrimSuffix(at, "."), nil
		}
	}
	return nil, "", nil
}

// criticalFlag is bit 0 of the flags, which is the highest.
const criticalFlag = 128
