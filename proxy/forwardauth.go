package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"gatehouse/internal/http1"
	"gatehouse/internal/pool"
	"gatehouse/tenancy"
)

const (
	// authAttemptsMax is how many addresses of an auth service are tried for one
	// request, each once: the second catches one that has just died.
	authAttemptsMax = 2

	// authInterimMax is how many interim answers a service may give; none has a
	// use for any.
	authInterimMax = 4
)

// authAnswer is what became of a question.
type authAnswer uint8

const (
	authSilent  authAnswer = iota // there is no verdict: err says why
	authDied                      // the connection ended before the service said a byte
	authAdmits                    // 2xx
	authRefuses                   // 401, 403, or a redirect to where one signs in
)

// asking is a question to an auth service: may this request go on? It uses the
// memory that the way to a backend takes after it.
type asking struct {
	ex      *exchange
	service *tenancy.AuthService
	round   pool.Round
	until   time.Time
	err     error // why there is no verdict
	r, w    int   // what has come and is not dealt with, of the workspace's in
	spoke   bool  // a byte has come on this connection
	body    *copyBuffer
	length  int // of the body; 0 where there is none, or more than there is room for
}

// askServices has every auth service of the route say whether the request may go
// on, the widest level's first. It reports false when the exchange is over:
// refused. Whatever is no verdict is a refusal.
func (s *Server) askServices(ex *exchange) bool {
	services := ex.verdict.Route.AuthServices()
	if len(services) == 0 {
		return true
	}
	began := time.Now()
	defer func() { ex.asked = time.Since(began) }()
	for _, service := range services {
		a := asking{ex: ex, service: service, until: ex.notAfter(time.Now().Add(service.Timeout))}
		if !a.admitted() {
			return false
		}
	}
	ex.watch.vouch(ex.verdict.Route.AuthKeys())
	table := s.snapshot().table
	if table.Tenant(ex.verdict.Tenant.ID()) == ex.verdict.Tenant || !ex.watch.judgeRequest(table, time.Now().Unix()) {
		return true
	}
	s.refuseCut(ex)
	return false
}

// vouch says that services with these keys admit the request in progress.
func (w *watch) vouch(keys []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.request.vouched, w.request.unasked = keys, false
}

// vouchedBy reports whether each of these services has admitted the request.
func (j *judged) vouchedBy(keys []string) bool {
	for _, key := range keys {
		if !slices.Contains(j.vouched, key) {
			return false
		}
	}
	return true
}

// admitted asks the service. It reports false when the exchange is over.
func (a *asking) admitted() bool {
	defer a.giveBody()
	a.round = a.ex.run.services[a.service.Index()].Round(0, true)
	defer a.round.Release()
	a.err = errNoService
	for range authAttemptsMax {
		m := a.round.Next(time.Now())
		if m == nil {
			break
		}
		switch a.try(m) {
		case authAdmits:
			return true
		case authRefuses:
			a.relay()
			return false
		}
		if a.over() {
			return false
		}
		if m.Tell(time.Now()) {
			a.ex.s.log.Warn("an auth service gave no verdict; what is asked about is refused", "tenant", a.ex.verdict.Tenant.ID(),
				"of", a.service.Name(), "service", m.Backend().Address(), "ref", string(a.ex.ref[:]), "error", a.err)
		}
	}
	a.ex.detail = a.err.Error()
	return a.ex.s.refuseFor(a.ex.at(a.service.Name(), limitForwardAuth), tenancy.AuthUnavailable, 0)
}

// limitForwardAuth is what refuses whoever an auth service does not admit.
const limitForwardAuth = "forward_auth"

var errNoService = errors.New("no address of the service takes requests")

// over ends an exchange whose client has left, or that was cut, while the service
// was asked. It reports whether that is so.
func (a *asking) over() bool {
	ex := a.ex
	if ex.overdue() {
		ex.s.refuseOverdue(ex)
		return true
	}
	return ex.s.endedEarly(ex)
}

// try asks one address: on an idle connection first, on a fresh one when there is
// none or when it has died before the service said a byte.
func (a *asking) try(m *pool.Member) authAnswer {
	if c := m.Reuse(); c != nil {
		if answer := a.ask(c); answer != authDied {
			return answer
		}
	}
	began := time.Now()
	connect := a.ex.verdict.Route.Timeouts().Connect
	limit := min(connect, a.until.Sub(began))
	if limit <= 0 {
		a.err = os.ErrDeadlineExceeded
		return authSilent
	}
	c, err := a.ex.dial(m, limit)
	if err != nil && a.ex.watch.deserted() {
		a.err = err
		return authSilent
	}
	a.ex.run.metrics.BackendConnect(err == nil)
	if err != nil {
		if how := dialFault(err, limit < connect); how != "" {
			a.round.Failed(time.Now(), how)
		}
		a.err = err
		return authSilent
	}
	answer := a.ask(c)
	if answer == authDied {
		a.round.Failed(time.Now(), "closed a fresh connection without an answer")
		return authSilent
	}
	return answer
}

// ask asks on one connection, which is kept or closed then.
func (a *asking) ask(c *pool.Conn) (answer authAnswer) {
	w, keep := a.ex.watch, false
	_ = c.SetDeadline(a.until)
	w.attach(c, unbounded)
	w.waiting(true)
	defer func() {
		w.waiting(false)
		if w.detach() && keep {
			_ = c.SetDeadline(time.Time{})
			c.Keep()
		} else {
			_ = c.Close()
		}
	}()
	a.r, a.w, a.spoke, a.length = 0, 0, false, 0
	_, a.err = c.Write(a.appendQuestion(a.ex.work.out[:0], c.Backend()))
	if a.err == nil {
		a.err = a.readHead(c)
	}
	if a.err != nil {
		return a.unanswered()
	}
	answer, keep = a.judge(c)
	return answer
}

// unanswered says what an answer means that has not come.
func (a *asking) unanswered() authAnswer {
	switch {
	case errors.Is(a.err, os.ErrDeadlineExceeded):
		// The whole time of the request says nothing about the service.
		if !a.ex.watch.backendExpired() && !a.ex.overdue() {
			a.round.Failed(time.Now(), "no answer in time")
		}
		return authSilent
	case a.spoke:
		return authSilent
	}
	return authDied
}

// readHead reads heads up to the final one.
func (a *asking) readHead(from io.Reader) error {
	in, head := a.ex.work.in, &a.ex.work.answer
	limits := http1.DefaultLimits()
	limits.HeadBytes = headRoom
	for interims := 0; ; {
		n, err := head.Parse(in[a.r:a.w], methodGet, limits)
		switch {
		case err == http1.ErrIncomplete:
			if err := a.more(from); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		a.r += n
		if head.Status >= http.StatusOK {
			return nil
		}
		if interims++; interims > authInterimMax || head.Status == http.StatusSwitchingProtocols {
			return fmt.Errorf("answered %d, which is no verdict", head.Status)
		}
	}
}

var methodGet = []byte(http.MethodGet)

// more reads a piece behind what has come. A head that fills all room is refused
// before.
func (a *asking) more(from io.Reader) error {
	in := a.ex.work.in
	if a.w == len(in) && a.r > 0 {
		a.w = copy(in[:], in[a.r:a.w])
		a.r = 0
	}
	n, err := from.Read(in[a.w:])
	a.w += n
	if n > 0 {
		a.spoke = true
		return nil
	}
	if err == io.EOF && a.spoke {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// judge reads the verdict. keep says that the connection is good for another
// question.
func (a *asking) judge(from io.Reader) (answer authAnswer, keep bool) {
	head := &a.ex.work.answer
	now := time.Now()
	switch status := head.Status; {
	case status < http.StatusMultipleChoices:
		a.round.Succeeded(now)
		a.take()
		return authAdmits, head.Framing != http1.UntilClose && a.readBody(from) && head.KeepAlive
	case status == http.StatusUnauthorized, status == http.StatusForbidden, isRedirect(head):
		a.round.Succeeded(now)
		whole := a.readBody(from)
		if !whole {
			a.length = 0
		}
		return authRefuses, whole && head.KeepAlive
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		a.round.Failed(now, fmt.Sprintf("answered %d", status))
	default:
		a.round.Succeeded(now)
	}
	a.err = fmt.Errorf("answered %d, which is no verdict", head.Status)
	return authSilent, false
}

// isRedirect reports whether the answer leads somewhere.
func isRedirect(head *http1.ResponseHead) bool {
	switch head.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return slices.ContainsFunc(head.Fields, func(f http1.Field) bool { return http1.EqualFold(f.Name, "location") })
	}
	return false
}
