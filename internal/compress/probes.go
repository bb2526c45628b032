package compress

import "gatehouse/internal/http1"

// Probes reports whether a request may be one by which somebody else's page looks
// for a secret: the length of a compressed answer tells whether what the page put
// into the request stands in the answer a second time, in a token that protects
// a form for one (BREACH, CVE-2013-3587). It takes a browser that sends along
// what its user is known by, and requests that the user's own pages did not
// cause.
//
// Who caused a request stands in Sec-Fetch-Site (Fetch Metadata), which pages
// cannot write: the pages of that very origin, or the user ("none"), do not
// attack themselves. Where it says anything else, a cookie or Authorization is
// enough to be suspected, and where users are known byAddress nothing is needed
// beside it. Where it is missing, the client is a program, whose
// cookies nobody else's page sends, or a browser from before 2023: a cookie is
// suspected, Authorization is not, which programs send and old browsers only
// after a password was typed. The answer's Set-Cookie makes no difference: heads
// are not coded, and what is looked for stands in a body.
func Probes(fields []http1.Field, byAddress bool) bool {
	site, cookie, authorization := siteUnknown, false, false
	for i := range fields {
		switch f := &fields[i]; {
		case http1.EqualFold(f.Name, "sec-fetch-site"):
			site = max(site, siteOf(f.Value))
		case http1.EqualFold(f.Name, "cookie"):
			cookie = true
		case http1.EqualFold(f.Name, "authorization"):
			authorization = true
		}
	}
	switch site {
	case siteOwn:
		return false
	case siteUnknown:
		return cookie
	}
	return byAddress || cookie || authorization
}

// Who caused a request; of two, the larger counts.
const (
	siteUnknown = iota
	siteOwn     // the same origin, or the user
	siteOther
)

func siteOf(value []byte) int {
	if oneOf(value, "same-origin", "none") {
		return siteOwn
	}
	return siteOther
}
