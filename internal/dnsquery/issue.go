package dnsquery

import "strings"

// Issue is what an issue or issuewild property says (RFC 8659 section 4.2).
type Issue struct {
	Domain     string // of the authority, lower case; empty: nobody
	Parameters []Parameter
}

// Parameter is one of an Issue. A tag may come twice, which means something to
// those who define it.
type Parameter struct{ Tag, Value string }

// Values returns the values of a tag.
func (i Issue) Values(tag string) (out []string) {
	for _, p := range i.Parameters {
		if p.Tag == tag {
			out = append(out, p.Value)
		}
	}
	return out
}

// ParseIssue reads an issue value. One that is malformed must be taken for one
// that names nobody.
func ParseIssue(value string) (issue Issue, ok bool) {
	domain, parameters, more := strings.Cut(value, ";")
	issue.Domain = strings.ToLower(strings.Trim(domain, " \t"))
	if issue.Domain != "" {
		for label := range strings.SplitSeq(issue.Domain, ".") {
			if !isTag(label) {
				return Issue{}, false
			}
		}
	}
	if !more || strings.Trim(parameters, " \t") == "" {
		return issue, true
	}
	for text := range strings.SplitSeq(parameters, ";") {
		tag, value, found := strings.Cut(text, "=")
		p := Parameter{strings.ToLower(strings.Trim(tag, " \t")), strings.Trim(value, " \t")}
		if !found || !isTag(p.Tag) || strings.ContainsFunc(p.Value, func(c rune) bool { return c <= ' ' || c > '~' }) {
			return Issue{}, false
		}
		issue.Parameters = append(issue.Parameters, p)
	}
	return issue, true
}

// isTag reports whether text is letters and digits, with hyphens between them.
func isTag(text string) bool {
	if text == "" || text[0] == '-' || text[len(text)-1] == '-' {
		return false
	}
	for _, c := range []byte(text) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !isDigit(c) && c != '-' {
			return false
		}
	}
	return true
}
