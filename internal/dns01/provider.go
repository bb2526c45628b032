package dns01

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/libdns/libdns"
)

const (
	// recordTTL is how long answers about a record may be kept. It lives for a
	// minute or two.
	recordTTL = 60 * time.Second

	// recordsMost bounds what is written by one call: a name and its wildcard
	// need two.
	recordsMost = 16

	// valueBytesMax bounds a text: what dns-01 asks for has 43 bytes, and one
	// string of a TXT record holds 255.
	valueBytesMax = 255
)

// Provider is a set of credentials for zones. It implements
// libdns.RecordAppender and libdns.RecordDeleter for TXT records, is immutable
// and safe for concurrent use. However it is printed, only its name and kind
// show.
type Provider struct {
	name    string
	kind    string
	zones   []string // lower case, without last dots
	tenants []string // whom it admits; nil: all
	secrets []string // what no error shows
	writer  writer
}

// writer changes records in some way. Each method bounds its own time.
type writer interface {
	add(ctx context.Context, r record) error
	remove(ctx context.Context, r record) error
}

// record is one TXT record.
type record struct {
	name  string // lower case, with its last dot
	zone  string // that contains it, with its last dot
	value string
}

var (
	_ libdns.RecordAppender = (*Provider)(nil)
	_ libdns.RecordDeleter  = (*Provider)(nil)
)

// Name returns the operator's name of the provider.
func (p *Provider) Name() string { return p.name }

// Kind returns how it changes records: "rfc2136", "exec".
func (p *Provider) Kind() string { return p.kind }

// Zones returns the zones that it may change, without last dots.
func (p *Provider) Zones() []string { return slices.Clone(p.zones) }

// String returns name and kind.
func (p Provider) String() string { return fmt.Sprintf("%s (%s)", p.name, p.kind) }

// GoString keeps %#v from printing credentials.
func (p Provider) GoString() string { return p.String() }

// LogValue is what slog prints.
func (p Provider) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Admits reports whether the provider may be used for a tenant's hosts.
func (p *Provider) Admits(tenant string) bool {
	return p.tenants == nil || slices.Contains(p.tenants, tenant)
}

// covers reports whether name, lower case and without its last dot, lies in a
// zone of the provider.
func (p *Provider) covers(name string) bool {
	return slices.ContainsFunc(p.zones, func(zone string) bool { return within(name, zone) })
}

// within reports whether name is zone or lies below it.
func within(name, zone string) bool {
	rest, ok := strings.CutSuffix(name, zone)
	return ok && (rest == "" || strings.HasSuffix(rest, "."))
}

// AppendRecords adds TXT records to a zone and returns those that were added.
// Records of other types, or outside the provider's zones, are refused.
func (p *Provider) AppendRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return p.each(ctx, zone, records, "add", p.writer.add)
}

// DeleteRecords takes TXT records out of a zone and returns those that are gone.
// One that is not there is gone.
func (p *Provider) DeleteRecords(ctx context.Context, zone string, records []libdns.Record) ([]libdns.Record, error) {
	return p.each(ctx, zone, records, "remove", p.writer.remove)
}

func (p *Provider) each(ctx context.Context, zone string, records []libdns.Record, doing string, do func(context.Context, record) error) (done []libdns.Record, err error) {
	if len(records) > recordsMost {
		return nil, fmt.Errorf("dns provider %q: %s %d records at once; expected at most %d", p.name, doing, len(records), recordsMost)
	}
	for _, written := range records {
		r, err := p.admit(zone, written.RR())
		if err == nil {
			err = do(ctx, r)
		}
		if err != nil {
			name := libdns.AbsoluteName(written.RR().Name, zone)
			return done, &Error{Provider: p.name, Doing: doing, Name: clip(name), Text: redact(err.Error(), p.secrets), cause: err}
		}
		done = append(done, libdns.TXT{Name: written.RR().Name, TTL: recordTTL, Text: r.value})
	}
	return done, nil
}

// admit judges a record. The zone that it is said to lie in may be wider than
// those of the provider, the name may not.
func (p *Provider) admit(zone string, rr libdns.RR) (record, error) {
	name := strings.ToLower(strings.TrimSuffix(libdns.AbsoluteName(rr.Name, zone), "."))
	zone = strings.ToLower(strings.TrimSuffix(zone, "."))
	switch {
	case rr.Type != "TXT":
		return record{}, fmt.Errorf("it is a %s record; expected TXT", clip(rr.Type))
	case rr.Data == "" || len(rr.Data) > valueBytesMax || strings.ContainsFunc(rr.Data, func(c rune) bool { return c < ' ' || c > '~' || c == '"' || c == '\\' }):
		return record{}, fmt.Errorf("its text has %d bytes or odd ones; expected 1 to %d of printable ASCII", len(rr.Data), valueBytesMax)
	case !isName(name):
		return record{}, fmt.Errorf("%q is no DNS name", clip(name))
	case !p.covers(name):
		return record{}, fmt.Errorf("it lies in no zone of this provider, which are %s", strings.Join(p.zones, ", "))
	case zone == "" || !within(name, zone):
		return record{}, fmt.Errorf("it does not lie in the zone %q", clip(zone))
	}
	return record{name: name + ".", zone: zone + ".", value: rr.Data}, nil
}
