package dns01

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"
)

const (
	// updateTimeMax bounds one update, attempts apart.
	updateTimeMax = 10 * time.Second

	// fudge is how far the clocks of both sides may be apart (RFC 8945 section
	// 10).
	fudge = 300 * time.Second
)

// signedUpdates changes a zone at its primary server (RFC 2136), by TCP and
// signed (TSIG, RFC 8945).
type signedUpdates struct {
	server    string // host:port
	key       string // its name, canonical
	algorithm string // canonical
	secret    string // base64
	pause     time.Duration
	timeMax   time.Duration
}

func (u *signedUpdates) add(ctx context.Context, r record) error {
	return u.update(ctx, r, (*dns.Msg).Insert)
}

func (u *signedUpdates) remove(ctx context.Context, r record) error {
	return u.update(ctx, r, (*dns.Msg).Remove)
}

func (u *signedUpdates) update(ctx context.Context, r record, change func(*dns.Msg, []dns.RR)) error {
	return retry(ctx, u.pause, func() error {
		m := new(dns.Msg).SetUpdate(r.zone)
		change(m, []dns.RR{&dns.TXT{
			Hdr: dns.RR_Header{Name: r.name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: uint32(recordTTL.Seconds())},
			Txt: []string{r.value},
		}})
		m.SetTsig(u.key, u.algorithm, uint16(fudge.Seconds()), time.Now().Unix())
		return u.send(ctx, m)
	})
}

func (u *signedUpdates) send(ctx context.Context, m *dns.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, u.timeMax)
	defer cancel()
	c := &dns.Client{Net: "tcp", Timeout: u.timeMax, TsigSecret: map[string]string{u.key: u.secret}}
	answer, _, err := c.ExchangeContext(ctx, m, u.server)
	switch {
	case answer == nil || answer.Id != m.Id || !answer.Response:
		return &passing{error: fmt.Errorf("ask %s: %w", u.server, told(err))}
	case answer.Rcode == dns.RcodeNotAuth && answer.IsTsig() != nil && answer.IsTsig().Error != dns.RcodeSuccess:
		return u.badSignature(answer.IsTsig())
	case err != nil:
		return &passing{error: fmt.Errorf("ask %s: %w", u.server, err)}
	case answer.Rcode == dns.RcodeSuccess && answer.IsTsig() == nil:
		return fmt.Errorf("%s answers without a signature; not believed", u.server)
	case answer.Rcode == dns.RcodeSuccess:
		return nil
	}
	refused := fmt.Errorf("%s refuses to change the zone %s: %s", u.server, m.Question[0].Name, meaning(answer.Rcode, u.key))
	if answer.Rcode == dns.RcodeServerFailure {
		return &passing{error: refused}
	}
	return refused
}

// badSignature says what the server has against the signature.
func (u *signedUpdates) badSignature(tsig *dns.TSIG) error {
	switch int(tsig.Error) {
	case dns.RcodeBadKey:
		return fmt.Errorf("%s does not know the key %s with %s (BADKEY)", u.server, u.key, u.algorithm)
	case dns.RcodeBadSig:
		return fmt.Errorf("%s holds another secret for the key %s (BADSIG)", u.server, u.key)
	case dns.RcodeBadTime:
		return fmt.Errorf("the clocks of %s and of this machine differ by more than %s (BADTIME)", u.server, fudge)
	}
	return fmt.Errorf("%s does not take the signature (code %d)", u.server, tsig.Error)
}

// told is why no answer came, also where the library leaves it out.
func told(err error) error {
	if err == nil {
		return errors.New("what came is no answer to it")
	}
	return err
}

// meaning says what an answer's code means for an update.
func meaning(rcode int, key string) string {
	switch rcode {
	case dns.RcodeRefused:
		return fmt.Sprintf("REFUSED, the key %s may not", key)
	case dns.RcodeNotAuth:
		return "NOTAUTH, it is not its primary server or does not take the key"
	case dns.RcodeNotZone:
		return "NOTZONE, the name lies in another zone"
	case dns.RcodeNotImplemented:
		return "NOTIMP, it takes no updates"
	}
	if word, ok := dns.RcodeToString[rcode]; ok {
		return word
	}
	return fmt.Sprintf("code %d", rcode)
}
