// Package gateway builds the house from the main file, runs it, reloads it and
// takes it down.
//
// It composes the specs of the other packages into the main file ([Config]),
// loads the whole tree ([Load]), and wires the parts together ([Run]). One
// goroutine changes the world: the reload loop. Everything that can fail happens
// in Load; what follows cannot fail.
package gateway
