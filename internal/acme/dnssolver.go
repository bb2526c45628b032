package acme

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/libdns/libdns"
	acmeclient "github.com/mholt/acmez/v3/acme"

	"gatehouse/internal/dns01"
	"gatehouse/internal/dnsquery"
)

const (
	// recordTTL is short: a record is of use for minutes.
	recordTTL = time.Minute

	// propagationTimeMax bounds the wait until a record is seen. Secondaries are
	// told within seconds, or ask by themselves within minutes.
	propagationTimeMax = 3 * time.Minute

	// propagationWaitFirst and propagationWaitMax bound the pauses between looks.
	propagationWaitFirst = 200 * time.Millisecond
	propagationWaitMax   = 5 * time.Second

	// withdrawTimeMax bounds the removal of a record, which happens also when
	// the attempt has no time left.
	withdrawTimeMax = time.Minute

	serverTimeMax = 2 * time.Second // for one question to a zone's own server
)

// dnsSolver answers dns-01 by a record that a provider writes. certmagic's own
// solver looks for the zone under a lock of the whole process, for as long as
// somebody's DNS likes, and asks resolvers that may remember for minutes that
// there was no record.
type dnsSolver struct {
	provider *dns01.Provider
	dns      *dnsquery.Resolver
	name     string // of the record, without its last dot
	zone     string // that contains it, likewise; set once it is known
	servers  []*dnsquery.Resolver
}

// dnsSolver returns who answers dns-01 for a host: through the provider that
// covers its name, or the name that its owner delegated the challenge to.
func (s *Settings) dnsSolver(ctx context.Context, h Host) (*dnsSolver, error) {
	target, err := s.providers.Target(ctx, s.dns, h.Tenant, h.Name)
	if err != nil {
		return nil, err
	}
	return &dnsSolver{provider: target.Provider, dns: s.dns, name: target.Name}, nil
}

// Present writes the record. It implements acmez.Solver.
func (d *dnsSolver) Present(ctx context.Context, challenge acmeclient.Challenge) (err error) {
	if d.zone, err = d.dns.Zone(ctx, d.name); err != nil {
		return err
	}
	_, err = d.provider.AppendRecords(ctx, d.zone+".", d.record(challenge))
	return err
}

// record is the TXT record of a challenge (RFC 8555 section 8.4).
func (d *dnsSolver) record(challenge acmeclient.Challenge) []libdns.Record {
	return []libdns.Record{libdns.TXT{
		Name: libdns.RelativeName(d.name+".", d.zone+"."), TTL: recordTTL, Text: challenge.DNS01KeyAuthorization(),
	}}
}

// CleanUp removes the record. It implements acmez.Solver.
func (d *dnsSolver) CleanUp(ctx context.Context, challenge acmeclient.Challenge) error {
	if d.zone == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), withdrawTimeMax)
	defer cancel()
	_, err := d.provider.DeleteRecords(ctx, d.zone+".", d.record(challenge))
	return err
}

// Wait waits until the record is seen by all of the zone's own servers that
// answer, or by the resolvers where none does. It implements acmez.Waiter.
func (d *dnsSolver) Wait(ctx context.Context, challenge acmeclient.Challenge) error {
	ctx, cancel := context.WithTimeout(ctx, propagationTimeMax)
	defer cancel()
	d.findServers(ctx)
	text := challenge.DNS01KeyAuthorization()
	for pause := propagationWaitFirst; ; pause = min(2*pause, propagationWaitMax) {
		missing := d.missing(ctx, text)
		if missing == "" {
			return nil
		}
		if err := wait(ctx, pause); err != nil {
			return fmt.Errorf("the record at %s, written by dns provider %q, was not seen in time: %s", d.name, d.provider.Name(), missing)
		}
	}
}

// findServers looks for the servers of the zone.
func (d *dnsSolver) findServers(ctx context.Context) {
	addresses, _ := d.dns.NameServers(ctx, d.zone) // without them the resolvers are asked
	for _, address := range addresses {
		d.servers = append(d.servers, dnsquery.New([]string{address}, dnsquery.Options{Timeout: serverTimeMax}))
	}
}

// missing says who does not show the record; nothing: it is there.
func (d *dnsSolver) missing(ctx context.Context, text string) string {
	answered := false
	for _, server := range d.servers {
		texts, err := server.TXT(ctx, d.name)
		switch kind := dnsquery.KindOf(err); {
		case kind == dnsquery.Timeout || kind == dnsquery.Unreachable:
		case slices.Contains(texts, text):
			answered = true
		default:
			return strings.Join(server.Servers(), ", ") + " does not show it"
		}
	}
	if answered {
		return ""
	}
	texts, err := d.dns.TXT(ctx, d.name)
	switch {
	case slices.Contains(texts, text):
		return ""
	case err != nil:
		return clean(err.Error())
	}
	return "the resolvers do not show it"
}
