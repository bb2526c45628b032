// Package tenancy is the model: which tenant a connection or request belongs
// to, and what may happen to it.
//
// Tenants declare, the [Table] decides, the proxy does. [Compile] turns what is
// written into one immutable Table and a [Result] that says what was wrong,
// what changed, and who runs on a former text. A Table does no input or output
// and reads no clock: the caller passes the instant.
//
// # The doors
//
// Knowledge about a client arrives in stages, so the Table has a door for each.
// A door allocates nothing while its [Trace] is nil:
//
//   - [Table.Admit], once the client's address is known: the block list.
//   - [Table.Connect], at the TLS ClientHello: the name it asks for, and access
//     where refuse_with is handshake.
//   - [Table.Request], for each request: authority, access, path, route.
//   - [Table.Plain], for each request over plain HTTP: redirect, or nothing.
//
// [Table.Judge] walks through the doors as the data plane does. explain and the
// expect cases of tenants call it, so what operators are told is what happens.
// Limits and health hold state; they come after the verdict.
//
// # Change
//
// A tenant is the unit of change and of failure. One whose meaning did not
// change keeps the very same *[Tenant] from one Table to the next; one whose
// file is broken runs on its last good text (quarantine). Connections hold
// their Tenant, never the Table.
package tenancy
