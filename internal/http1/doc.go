// Package http1 is HTTP/1.1 on the wire (RFC 9110, RFC 9112), as a server and
// as a client: bytes in, views out. It knows no tenant, no TLS, no socket and
// no clock; its callers own the buffers and decide when to read and write.
//
// It is strict on purpose. Proxies are broken into at the seams between
// parsers, so whatever two parsers could read differently is refused here, as
// a request (400 and its relatives) and as a response (502), instead of being
// repaired: bare LF and CR, NUL and other control bytes, folded lines, blanks
// before the colon, Content-Length with Transfer-Encoding or twice, any
// transfer coding but chunked, a missing or doubled Host, chunk extensions
// that are no tokens. Bodies are decoded by [ChunkDecoder] and encoded again
// by [AppendChunkHeader]; framing is never passed through.
//
// A head is parsed in two steps. While bytes arrive, only line ends are looked
// for, each byte once; when the empty line is there, the head is judged as a
// whole and its fields become views into the caller's buffer, in order and
// with their case. Nothing is allocated for a message once the slices of a
// head have grown to their working size, refusals included: every refusal is a
// value that exists from the start.
//
// Errors from this package are [ErrIncomplete] or a *[Error], never wrapped: a
// type assertion tells them apart. After an *Error the connection must be
// closed, because nobody knows where the next message begins.
package http1
