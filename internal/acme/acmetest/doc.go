// Package acmetest runs a real ACME authority for tests: Pebble, made by the
// people of Let's Encrypt, on random ports, with a root of its own and a DNS
// server of the test's choice. A Proxy in front of it counts what is asked and
// lets answers fail.
//
// The binary is bin/tools/pebble, which `test/install test` puts there.
package acmetest
