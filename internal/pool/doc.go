// Package pool chooses a backend and reaches it.
//
// The declared half, [BackendSpec] and [CompileBackend], turns what an operator
// writes into an immutable [Backend]. The running half, [Pool], belongs to one
// tenant and one route: it picks backends in turn, dials them, and keeps their
// idle connections.
//
// A connection is kept only when nobody can doubt where its next answer
// begins: the last one was read to its end and not one byte more has come.
// One that says anything while idle is closed (nginx issues 929 and 950: bytes
// that arrive on an idle connection become somebody else's answer).
//
// A backend that is written by name has a place for each address that the name
// leads to. [Names] looks names up in the background, for all pools, and keeps the
// last good addresses while DNS fails; to pick and to dial ask nobody.
//
// Every address is judged when it is dialled, not only when it is written, so
// that a name cannot be pointed at a cloud's metadata service afterwards.
package pool
