// Package proxy moves bytes between clients and backends, obeying a table. It
// decides nothing by itself: whatever depends on names, paths and addresses is
// asked of the [tenancy.Table] in use.
//
// # The life of a connection
//
//	accept ── admit ── identify ── handshake ── settle ──┬── HTTP/1.1 ──┐
//	  │         │          │           │           │     ├── HTTP/2 ────┤
//	listener.go │   proxyheader.go     │       revoke.go └── plain HTTP │
//	       block list,          GetConfigForClient:         plain.go    │
//	       budgets              Table.Connect, before                   │
//	                            any signature                           │
//	                            handshake.go                            ▼
//	                                       judge ── forward ── answer ── finish
//	                                         │         │          │         │
//	                                     judge.go  roundtrip.go  ...   accesslog.go
//
// A conn is one TCP connection. It lies below TLS, so that crypto/tls reads and
// writes through it, and carries the peer: who calls, where, and what the
// handshake settled. The peer names its tenant and holds no table, so that an
// idle connection keeps no old world alive. An exchange is one request and its
// answer, whatever protocol carries it; it keeps to the verdict and the running
// half of its tenant that it was judged by.
//
// # The other plane
//
// With [StandardPlane], net/http's server reads and writes HTTP/1.1 in place of
// http1Client (standard.go). Before that and behind it everything is the same:
// accept to settle, the watch of the connection, and the exchange. What the
// library has understood of a head is written down in one plain form and judged
// by our own parser (standardhead.go); what it refuses by itself is answered,
// counted and logged in our words (standardconn.go).
//
// # Time
//
// Nothing sets a timer or a deadline for each request: each connection and each
// HTTP/2 stream has a watch whose times are atomic stores against a coarse
// clock. One sweeper looks at all of them twice a second: it wakes what has run
// out of time, polls the sockets of clients that wait for a backend, and ends
// what is to end.
//
// # Change
//
// [Server.Apply] stores the new snapshot first and then judges what is open
// again: load balancers by whom their listener believes, connections by block
// list and, of changed tenants, by the access of their host, the requests in
// progress by everything that the table asks of a request. Each of the two sides that could miss each other looks at what the
// other one writes first: see judge and settle.
//
// # Going down
//
// [Server.Announce] makes every answer the last one of its connection, while
// new ones are still accepted. [Server.Shutdown] stops accepting, closes what
// is idle, waits, and cuts what is left when its time is over.
package proxy
