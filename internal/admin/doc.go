// Package admin lets operators look at a running gateway and touch it.
//
// It serves three doors, each with what its place allows:
//
//   - the command socket, a Unix socket of mode 0600 that admits its own user
//     and root: everything, reload and profiles included;
//   - the admin listener, TCP, loopback unless guarded by a token and a list:
//     metrics and status, GET only;
//   - the health listener, plain HTTP for load balancers: alive, ready, no more.
//
// The package decides nothing and knows no other part of the gateway: it is
// handed a [House] of functions.
package admin
