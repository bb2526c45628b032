// Neighbour measures what one tenant feels of another. Behind the same proxy,
// tenant A asks for ten times what it may have, in one of four ways, while
// tenant B goes on as before: B's latency and failures are compared with those
// of the minutes when A was quiet. The same is done to gatehouse, nginx and
// HAProxy, which are configured with the same limits as far as they have them.
//
//	go run ./bench/neighbour [-rounds 3] [-seconds 10] [-proxies gatehouse,nginx,haproxy] [-attacks slow,...]
//
// The proxy has one processor to itself and everything else shares the other,
// B's clients and B's backend at a real-time priority: what is measured is how
// the proxy shares its processor, not how the load generator shares its own.
// That takes root and the programs nginx, haproxy, taskset and chrt.
package main
