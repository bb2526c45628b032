package proxy

import "gatehouse/internal/http1"

// answerFate decides what of a backend's answer is not for the client. HSTS is
// the host's policy and the ref is ours: the backend's word on them does not
// count.
func answerFate(name []byte) fate {
	switch name[0] | 0x20 {
	case 'c':
		return oneOf(name, "connection")
	case 'h':
		return oneOf(name, "http2-settings")
	case 'k':
		return oneOf(name, "keep-alive")
	case 'p':
		return oneOf(name, "proxy-connection", "proxy-authenticate", "proxy-authentication-info")
	case 's':
		return oneOf(name, "strict-transport-security")
	case 't':
		return oneOf(name, "te", "transfer-encoding")
	case 'u':
		return oneOf(name, "upgrade")
	case 'x':
		return oneOf(name, "x-request-id")
	}
	return kept
}

// answers reports whether a field of the backend's answer goes to the client.
func (ex *exchange) answers(name []byte) bool {
	return ex.answersTrailer(name) && !ex.work.answer.Nominated(name)
}

// answersTrailer reports the same of a trailer.
func (ex *exchange) answersTrailer(name []byte) bool {
	if len(name) == 0 || answerFate(name) == removed {
		return false
	}
	rules := ex.verdict.Route.Headers()
	return rules == nil || !named(rules.ResponseRemove, rules.ResponseSet, name, sameName)
}

// answerTrailersPass reports whether trailers may follow the answer. Where
// Connection names fields of its own, none do: which ones it names is not known
// any more once the body has been read over the head, and to drop trailers is
// always allowed (RFC 9110 6.5.2).
func (ex *exchange) answerTrailersPass() bool {
	if ex.work.answer.Framing != http1.Chunked || !ex.down.canTrailers() {
		return false
	}
	for _, f := range ex.work.answer.Fields {
		if http1.EqualFold(f.Name, "connection") && !http1.EqualFold(f.Value, "close") && !http1.EqualFold(f.Value, "keep-alive") {
			return false
		}
	}
	return true
}

// interimFields returns the fields of a 1xx answer for the client.
func (ex *exchange) interimFields() []http1.Field {
	w := ex.work
	w.fields = w.fields[:0]
	for _, f := range w.answer.Fields {
		if ex.answers(f.Name) && !http1.EqualFold(f.Name, "content-length") {
			w.fields = append(w.fields, f)
		}
	}
	return w.fields
}

// answerFields returns the fields of the final answer for the client. The
// length of a body is written by whoever frames it; that of a body that is not
// there (HEAD, 304) is the backend's word.
func (ex *exchange) answerFields() []http1.Field {
	w := ex.work
	w.fields, w.made = w.fields[:0], w.made[:0]
	keepLength := w.answer.Framing == http1.NoBody && w.answer.Status != 204
	dated := false
	for _, f := range w.answer.Fields {
		switch {
		case !ex.answers(f.Name):
			continue
		case http1.EqualFold(f.Name, "content-length"):
			if !keepLength {
				continue
			}
		case http1.EqualFold(f.Name, "trailer"):
			if w.answer.Framing != http1.Chunked {
				continue
			}
		case http1.EqualFold(f.Name, "date"):
			dated = true
		case http1.EqualFold(f.Name, "location"):
			f.Value = ex.outward(f.Value)
		}
		w.fields = append(w.fields, f)
	}
	if rules := ex.verdict.Route.Headers(); rules != nil {
		for i := range rules.ResponseSet {
			ex.addField(rules.ResponseSet[i].Name, rules.ResponseSet[i].Value)
		}
	}
	ex.addCookies()
	ex.addStanding(dated)
	return w.fields
}

// addStanding adds what every answer carries, ours or a backend's.
func (ex *exchange) addStanding(dated bool) {
	if host := ex.verdict.Host; host != nil && host.HSTS() != "" {
		ex.addField("Strict-Transport-Security", host.HSTS())
	}
	if !dated {
		ex.addDate()
	}
	ex.work.fields = append(ex.work.fields, http1.Field{Name: nameRequestID, Value: ex.ref[:]})
}

var nameRequestID = []byte("X-Request-Id")

// addField adds a field to the answer. Its bytes are copied to memory that
// lasts as long as the answer.
func (ex *exchange) addField(name, value string) {
	w := ex.work
	at := len(w.made)
	w.made = append(append(w.made, name...), value...)
	made := w.made[at:]
	w.fields = append(w.fields, http1.Field{Name: made[:len(name):len(name)], Value: made[len(name):]})
}

// answerTrailers keeps, in place, the trailers that go to the client.
func (ex *exchange) answerTrailers(trailers []http1.Field) []http1.Field {
	n := 0
	for _, f := range trailers {
		if ex.answersTrailer(f.Name) {
			trailers[n] = f
			n++
		}
	}
	return trailers[:n]
}
