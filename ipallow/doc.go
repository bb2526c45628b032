// Package ipallow answers whether an address is listed, and by which entry.
//
// A [List] is what an operator writes as a list of addresses, networks and
// "set:NAME". It is compiled once into immutable parts: one prefix trie for the
// entries that stay and one for each date on which entries end. The parts of a
// set belong to the set and are shared by every list that names it, so a set of
// a million networks that ten thousand tenants use is in memory once.
//
// An [Access] is one level's rule: public, or a list, less its exceptions.
// Levels never merge; the caller asks each of them and all must admit.
//
// Addresses are compared after unmapping (::ffff:192.0.2.1 is 192.0.2.1) and
// without their zone. Instants are whole seconds of Unix time; 0 asks as if no
// `until` had passed.
//
// Everything compiled is safe for any number of readers at once. No other
// package imports the prefix trie.
package ipallow
