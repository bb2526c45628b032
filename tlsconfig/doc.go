// Package tlsconfig is what we present and demand in a handshake.
//
// A [Profile] is what a host demands of TLS: [Policies] holds one prebuilt
// configuration for each, and one that refuses, which connections share. A
// [Certificate] is a checked pair of a chain and its key, or the same packed until
// its first handshake ([Compact]); an [Index] finds the right one for a name.
// [ACMESpec] says how certificates are obtained. [Rotator] renews the keys of session tickets.
//
// # Sessions
//
// crypto/tls resumes a session of one host under another one's name as long as
// both configurations have the same ticket keys, and falls back to keys of the
// outer configuration where the inner one has none (CVE-2025-68121, the class of
// CVE-2025-23419 and CVE-2025-23048). So every configuration has explicit keys,
// from one master set, and every ticket carries tenant, name, profile and time of
// issue, which are compared when it comes back. A ticket that does not fit is
// ignored and the handshake is a full one.
//
// # Refusing
//
// An error of GetConfigForClient, whatever alert it wraps, reaches the client as
// internal_error. The refusing configuration has no tickets and no certificate,
// which sends unrecognized_name (RFC 6066 section 3) on TLS 1.2 and 1.3 before
// any signature, also to a client with a good ticket of another host.
package tlsconfig
