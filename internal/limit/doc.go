// Package limit answers how much, how many and whose turn it is. It knows
// numbers and addresses, no tenant, no request and no transport.
//
//   - [Rate] is one bucket: so many at once, and after that one each so often.
//   - [Keyed] is a bucket for each client address, in memory that is bounded
//     however many addresses there are.
//   - [Counts] is how many of something each client address holds.
//   - [Gate] lets so many in at a time, and lets a few wait for their turn.
//   - [Flow] is a number of bytes in a second.
//   - [Budget] bounds what is done beside something else to a share of it.
//   - [Fair] shares what is held for a moment between parties that want more of
//     it than there is, [Share] what is held for long.
//
// Times are nanoseconds on a clock of the caller's that does not go back; what
// is counted is kept apart from how much is allowed, so that a limit can change
// and what it has counted stays.
package limit
