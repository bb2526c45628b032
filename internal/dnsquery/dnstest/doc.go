// Package dnstest is an authoritative DNS server for tests, on a random port
// of 127.0.0.1, by UDP and TCP.
//
//	s := dnstest.Start(t)
//	s.Zone("acme.example")
//	s.Add("pa.acme.example. A 192.0.2.1", `acme.example. CAA 0 issue "letsencrypt.org"`)
//	s.Fault("slow.acme.example", dnstest.Drop)
//	resolver := dnsquery.New([]string{s.Addr()}, dnsquery.Options{})
//
// It answers for the zones it was given, follows aliases from one of them into
// another as a recursive resolver would, knows wildcards, says that names above
// them have no records, and refuses names of other zones. Whoever holds a key that AllowUpdates named may change a zone
// (RFC 2136 with TSIG, RFC 8945). A fault makes it misbehave for a name and
// all names below it.
package dnstest
