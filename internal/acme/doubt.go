package acme

import "time"

// blindShare is the last part of a certificate's lifetime in which an order
// goes ahead although DNS cannot be asked. A renewal begins with a third of the
// lifetime left, so the first half of that waits for the resolver and alarms;
// in the second, an order that may fail costs less than a certificate that
// ends: 15 days of 90, or one of 6, are time for five attempts and their
// backoff even then. Authorities ask DNS themselves, by resolvers that work.
const blindShare = 6

// doubtSteps are the waits between looks at a host about which DNS could not be
// asked. It is a resolver of ours that is out of order, so hosts go on soon
// after it is mended, and ask it a few times an hour until then.
func doubtSteps() []time.Duration {
	return []time.Duration{
		time.Minute, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute,
	}
}

// doubt notes one more look that had no answer, and when to look again.
func (c *check) doubt(former *check, name string, now time.Time) {
	c.doubts = 1
	if former != nil {
		c.doubts += former.doubts
	}
	steps := doubtSteps()
	c.again.next = now.Add(spreadOut(steps[min(c.doubts, len(steps))-1], name))
}

// blind reports whether an order is placed although nothing is known of DNS:
// the certificate held is about to end, or clients refuse it already.
func (e *entry) blind(now time.Time) bool {
	h := e.held
	return h != nil && (e.revoked || h.notAfter.Sub(now) < h.lifetime()/blindShare)
}

// doubtful reports whether a host waits because DNS cannot be asked about it.
func (e *entry) doubtful(now time.Time) bool {
	return e.check != nil && e.check.unsure && e.check.state == "" && !e.blind(now)
}
