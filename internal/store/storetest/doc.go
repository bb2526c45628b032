// Package storetest is the conformance suite of store.Store, and the store
// that fails when told to, for tests of the rooms above.
package storetest
