package proxy

import "bytes"

// redirect answers with the address that the route leads to, where it does not
// forward. It reports whether it has answered.
func (s *Server) redirect(ex *exchange) bool {
	rule := ex.verdict.Route.Redirect()
	if rule == nil {
		return false
	}
	target := bytes.Clone(ex.path)
	if ex.hasQuery {
		target = append(append(target, '?'), ex.query...)
	}
	status, p := pageOf(rule.Status)
	ex.beginOwn()
	ex.addField("Location", string(s.snapshot().table.AppendRedirect(nil, ex.verdict, ex.authority, target)))
	ex.show(status, p)
	return true
}

// outward returns a Location of a backend as the client has to ask for it.
func (ex *exchange) outward(location []byte) []byte {
	route, w := ex.verdict.Route, ex.work
	if !route.RewritesPaths() {
		return location
	}
	at := len(w.made)
	made, differs := route.AppendOutward(w.made, location, ex.authority)
	if !differs {
		return location
	}
	w.made = made
	return made[at:len(made):len(made)]
}
