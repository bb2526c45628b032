// Package store keeps named blobs that outlive a process: certificates and
// their keys, accounts, ticket keys, the last good copy of each tenant.
//
// Store is the interface, and its comment is its specification; the suite in
// store/storetest executes it on every driver. The drivers are NewMem, for
// tests, and store/file. Seal puts a driver under a seal, so that what rests on
// a disk or in somebody's object store is unreadable without the key, and a
// blob that was altered or moved to another key is noticed. Names of blobs and
// their lengths stay readable, and a former blob of the same name that somebody
// puts back is not told from the last one.
//
// Nothing here is on the path of a request.
package store
