// Package dnsquery asks DNS, and is the only package that does.
//
// A Resolver asks recursive servers, those of the system or others, and
// believes nothing that it was not asked for: an answer must carry the id and
// the question of its query, come from the server that was asked, and stay
// within bounds. Chains of aliases, numbers of records, sizes and times are
// bounded, and every way to fail is an [Error] of its own [Kind], because a
// name that does not exist is its owner's business and a resolver that is down
// is not.
package dnsquery
