// Package acme keeps every host that asks for it in possession of a valid
// certificate from a public authority (ACME, RFC 8555).
//
// Two halves. The engine gets one certificate: accounts, orders that outlive a
// killed process, answers to challenges, renewal windows (RFC 9773), OCSP. The
// Manager decides for which host it is asked, when, and how often: a queue by
// urgency, budgets that mirror the authority's published limits, a look at DNS
// before an order is spent.
//
// What is stored goes through a sealed store: accounts below acme/accounts,
// orders in progress below acme/orders, a certificate with its chain and key as
// one blob below acme/certs.
//
// certmagic obtains and renews, behind engine.go alone. Nothing here is on the
// path of a handshake: whoever serves is handed finished certificates, and the
// answers to pending challenges are read without a lock.
//
// Everything that an authority says is hostile until it is bounded: sizes,
// counts and times, in client.go.
package acme
