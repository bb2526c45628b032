// Package livesets asks the live sources of sets again and again, and knows what
// each of them listed last.
//
// A [Keeper] is told which sources a table has. It asks each at its own pace,
// with jitter, a few at a time and of each tenant one, and calls Publish when
// what they list has changed; Live is then what a table is laid over with. It
// decides nothing about anybody's access.
//
// An answer is taken whole or not at all: one that cannot be read, that is empty,
// that has more entries than `max` or covers more than an organisation is given
// leaves the last good one in use. That one is kept in the store, so that a
// process that starts while a source is down begins with it. When nothing good
// has come for `keep` it admits nobody any more.
//
// From DNS, addresses that are private to some network are left out: whoever
// answers for a name must not name machines inside. A URL is fetched by https
// alone, follows no redirect, and is never dialled at an address where clouds
// serve credentials; what a tenant file names is fetched from public addresses
// alone.
package livesets
