// Package e2e drives the finished binary with the programs that stand around
// it in the field: nginx and applications behind it; curl, openssl, Chromium and
// WebSocket clients in front of it. Backends that fail are processes of this
// binary, some of them in a network namespace, which takes root or sudo.
//
// Each test has a world of its own below a temporary folder: a table, a state
// folder, backends of two tenants, and ports that nobody else has. Clients
// differ by their source address, for which all of 127.0.0.0/8 is at hand.
//
//	127.0.0.1   the browser        admitted by acme
//	127.0.0.2   client of acme     admitted by acme
//	127.0.0.3   client of globex   admitted by globex
//	127.0.0.4   auditor            admitted by both
//	127.0.0.5   stranger           admitted by none
//	127.0.0.9   load balancer      speaks the PROXY protocol, for 203.0.113.0/28 and others
//
// A program that is missing fails the test with the command that installs it;
// test/install test installs them all.
package e2e
