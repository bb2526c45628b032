package acme

import (
	"fmt"
	"slices"
	"strings"

	"gatehouse/internal/dnsquery"
)

// caaQuestion is what the CAA records in force for a name are asked.
type caaQuestion struct {
	records    []dnsquery.CAARecord
	at         string // where they stand
	wildcard   bool
	kinds      []string // challenges that would prove control
	identities []string // names under which records mean the authority, lower case
	account    string   // URL of the account there; empty: there is none yet
}

// caaVerdict is what they say.
type caaVerdict struct {
	kinds  []string // challenges that they let the authority use; none: it must not issue
	why    string   // where they forbid
	record string   // the record that would allow it; empty: one must go instead
}

// judge reads the records as an authority does: RFC 8659 section 4 and, of its
// extensions, accounturi and validationmethods of RFC 8657.
func (q *caaQuestion) judge() caaVerdict {
	if tag := q.unknownCritical(); tag != "" {
		return caaVerdict{why: fmt.Sprintf("%s has a CAA record with the tag %q that is marked critical; an authority that does not know the tag issues nothing", q.at, clean(tag))}
	}
	tag := q.tag()
	var bound bool                          // some record exists that restricts issuing
	var ours, account, methods, strange int // records that name the authority; those of them that another account, other methods or contradictions rule out
	var v caaVerdict
	for _, r := range q.records {
		if r.Tag != tag {
			continue
		}
		bound = true
		issue, ok := dnsquery.ParseIssue(r.Value)
		if !ok || !slices.Contains(q.identities, issue.Domain) {
			continue
		}
		ours++
		kinds, obstacle := q.permitted(issue)
		switch obstacle {
		case "":
			v.kinds = append(v.kinds, kinds...)
		case accountURI:
			account++
		case validationMethods:
			methods++
		default:
			strange++
		}
	}
	if !bound {
		return caaVerdict{kinds: q.kinds}
	}
	v.kinds = slices.DeleteFunc(slices.Clone(q.kinds), func(kind string) bool { return !slices.Contains(v.kinds, kind) })
	if len(v.kinds) > 0 {
		return v
	}
	v.record = q.remedy(tag, account > 0, methods > 0)
	switch {
	case ours == 0:
		v.why = fmt.Sprintf("the CAA records of %s do not name this authority", q.at)
	case account > 0:
		v.why = fmt.Sprintf("the CAA records of %s bind this authority to another account", q.at)
	case methods > 0:
		v.why = fmt.Sprintf("the CAA records of %s forbid the ways in which control can be proved here (%s)", q.at, strings.Join(q.kinds, ", "))
	default:
		v.why = fmt.Sprintf("the CAA record of %s that names this authority contradicts itself", q.at)
	}
	return v
}

// The parameters of RFC 8657.
const (
	accountURI        = "accounturi"
	validationMethods = "validationmethods"
)

// permitted returns the kinds of challenge that a record lets the authority
// use, or which parameter is in the way.
func (q *caaQuestion) permitted(issue dnsquery.Issue) (kinds []string, obstacle string) {
	accounts, methods := issue.Values(accountURI), issue.Values(validationMethods)
	switch {
	case len(accounts) > 1 || len(methods) > 1:
		return nil, "contradiction" // RFC 8657 sections 3 and 4: unsatisfiable
	case len(accounts) == 1 && q.account != "" && accounts[0] != q.account:
		return nil, accountURI
	case len(methods) == 0:
		return q.kinds, ""
	}
	for method := range strings.SplitSeq(methods[0], ",") {
		if method = strings.TrimSpace(method); slices.Contains(q.kinds, method) {
			kinds = append(kinds, method)
		}
	}
	if len(kinds) == 0 {
		return nil, validationMethods
	}
	return kinds, ""
}

// unknownCritical returns the tag of a record that an authority must understand
// and may not, or nothing.
func (q *caaQuestion) unknownCritical() string {
	for _, r := range q.records {
		// RFC 8659 and RFC 9495; authorities know these.
		if r.Critical && !slices.Contains([]string{"issue", "issuewild", "iodef", "issuemail"}, r.Tag) {
			return r.Tag
		}
	}
	return ""
}

// tag is which records count: issuewild replaces issue for a wildcard where
// there is one.
func (q *caaQuestion) tag() string {
	if q.wildcard && slices.ContainsFunc(q.records, func(r dnsquery.CAARecord) bool { return r.Tag == "issuewild" }) {
		return "issuewild"
	}
	return "issue"
}

// remedy is the record that the owner can add, as strict as those that are
// there.
func (q *caaQuestion) remedy(tag string, account, methods bool) string {
	value := q.identities[0]
	if account && q.account != "" {
		value += "; " + accountURI + "=" + q.account
	}
	if methods {
		value += "; " + validationMethods + "=" + strings.Join(q.kinds, ",")
	}
	return fmt.Sprintf("%s. CAA 0 %s %q", q.at, tag, value)
}
