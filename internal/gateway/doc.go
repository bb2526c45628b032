// Package gateway builds the house from the main file, runs it, reloads it and
// takes it down.
//
// It composes the specs of the other packages into the main file ([Config]),
// loads the whole tree, and wires the parts together ([Run]). One goroutine
// changes the world: the reload loop. Everything that can fail happens while a
// tree is loaded; putting it into use cannot fail.
//
// What is kept beside the table: the certificate index (presenter), the internal
// CA once a host needs it (issuer), the text on which each tenant runs (copies),
// and what files held when they were read last (fileMemory).
package gateway
