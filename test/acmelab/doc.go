// Command acmelab plays certificates by ACME on one machine: Pebble as the
// authority, a small DNS server, two sample applications, and the gateway in
// front of them on high ports. Nothing leaves the machine. It prints command
// lines to try, and ends with Ctrl-C. `make demo-acme` builds what it needs and
// starts it.
package main
