// Package dns01 writes the TXT records that prove control of a name to a
// certificate authority (ACME challenge dns-01, RFC 8555 section 8.4), with
// credentials that are bound to zones and tenants.
//
// A [Provider] is one set of credentials. It writes nothing but TXT records,
// within its zones alone, and [Providers.For] hands it only to tenants that it
// admits: neither a host that a tenant names nor an alias that it sets in its
// own DNS leads to the credentials of another.
//
//	rfc2136   signed updates (RFC 2136, TSIG by RFC 8945)
//	acme_dns  the HTTP interface of acme-dns, for names that are aliased there
//	exec      a program
//	webhook   JSON over HTTPS
//	route53   Amazon Route 53
//
// The owner of a zone that no provider may change can set an alias once:
// _acme-challenge.HOST CNAME NAME, with NAME in a zone that one may change.
// [Providers.Target] follows it.
package dns01
