// Package password checks passwords against hashes, and makes such hashes. It
// knows bcrypt and argon2id (RFC 9106), no users' rights, no tenant and no
// transport.
//
//   - [Parse] reads a hash and bounds what a check of it costs, so that whoever
//     writes a file of hashes cannot buy seconds or gigabytes with one of them.
//   - [Users] are names with their hashes. A name that is not among them is
//     checked against the hash of one that is, so that neither the answer nor
//     its time tells which names exist.
//   - [Memory] remembers for minutes which passwords were right, as digests
//     under a key that the process has made up, because a browser sends its
//     password with each request and a hash is slow on purpose.
//   - [ParseBasic] reads the credentials of a request (RFC 7617).
//
// A hash, and what is not one, is never part of an error's text: it may be a
// password that somebody has written in the wrong place.
package password
