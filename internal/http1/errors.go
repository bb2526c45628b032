package http1

import "errors"

// ErrIncomplete says that what came so far is the beginning of a message: call
// again with the same bytes and more behind them. At the end of the stream it
// means that the message was cut short.
var ErrIncomplete = errors.New("http1: the message is not complete yet")

// Error says why a message was refused. The values are shared and must not be
// changed. The connection must be closed after one.
type Error struct {
	// Status is what to answer: 400, 405, 414, 417 or 431 for a request,
	// always 502 for the head of a response.
	Status int
	// Text is the reason in a few words, for logs; it holds no byte of the
	// message.
	Text string
}

// Error returns the reason.
func (e *Error) Error() string { return "http1: " + e.Text }

// rule is one thing that is refused, ready to be said to either side.
type rule struct {
	request  Error
	response Error
}

// refuse declares a rule: status is for requests, a response that breaks it is
// a bad gateway.
func refuse(status int, text string) *rule {
	return &rule{request: Error{status, text}, response: Error{502, text}}
}

// Rules of the request line (RFC 9112 section 3) and the status line (section 4).
var (
	errRequestLine  = refuse(400, "the request line is not method, target and version with one space between them")
	errMethod       = refuse(400, "the method is not a token of at most 32 bytes")
	errConnect      = refuse(405, "CONNECT is not served")
	errTargetByte   = refuse(400, "the request target holds a blank, a control byte or a fragment")
	errTargetForm   = refuse(400, "the request target is neither a path nor an http or https URL")
	errTargetLong   = refuse(414, "the request target is longer than allowed")
	errAsterisk     = refuse(400, "the target * is for OPTIONS only")
	errVersionForm  = refuse(400, "the protocol version is malformed")
	errVersion      = refuse(400, "the protocol version is not HTTP/1.0 or HTTP/1.1")
	errStatusLine   = refuse(400, "the status line is malformed")
	errStatusCode   = refuse(400, "the status is outside 100 to 599")
	errStatusReason = refuse(400, "the reason phrase holds a control byte")
	errFirstByte    = refuse(400, "the first byte cannot begin a message")
)

// Rules of field lines (RFC 9112 sections 2.2 and 5, RFC 9110 section 5).
var (
	errBareLF       = refuse(400, "a line ends in LF without CR")
	errEmptyStart   = refuse(400, "empty lines stand before the message")
	errFold         = refuse(400, "a field line begins with a blank")
	errNoColon      = refuse(400, "a field line has no colon")
	errFieldName    = refuse(400, "a field name is not a token")
	errBeforeColon  = refuse(400, "a blank stands before the colon of a field")
	errFieldValue   = refuse(400, "a field value holds a control byte")
	errHeadLong     = refuse(431, "the head is larger than allowed")
	errFieldsMany   = refuse(431, "the head has more fields than allowed")
	errConnection   = refuse(400, "a Connection option is not a token")
	errOptionsMany  = refuse(400, "Connection has more options than allowed")
	errNominated    = refuse(400, "Connection names a field that is not hop-by-hop")
	errExpectation  = refuse(417, "the expectation is not 100-continue")
	errHostMissing  = refuse(400, "the Host field is missing")
	errHostTwice    = refuse(400, "the Host field stands more than once")
	errHostForm     = refuse(400, "the Host field is not a host with an optional port")
	errHostMismatch = refuse(400, "the authority of the target differs from Host")
)

// Rules of framing (RFC 9112 sections 6 and 7).
var (
	errLengthTwice    = refuse(400, "Content-Length stands more than once")
	errLengthForm     = refuse(400, "Content-Length is not 1 to 18 digits")
	errLengthAndCode  = refuse(400, "Content-Length and Transfer-Encoding stand together")
	errCoding         = refuse(400, "Transfer-Encoding is not exactly chunked")
	errCodingIn10     = refuse(400, "Transfer-Encoding stands in an HTTP/1.0 message")
	errInterimBody    = refuse(400, "an interim answer announces a body")
	errChunkSize      = refuse(400, "a chunk size is not 1 to 16 hexadecimal digits")
	errChunkLarge     = refuse(400, "a chunk is larger than allowed")
	errChunkLine      = refuse(400, "a chunk size is followed by something other than CRLF or an extension")
	errChunkExtension = refuse(400, "a chunk extension is malformed")
	errChunkExtLong   = refuse(400, "the chunk extensions are longer than allowed")
	errChunkEnd       = refuse(400, "chunk data is not followed by CRLF")
	errTrailerLong    = refuse(431, "the trailers are larger than allowed")
	errTrailerMany    = refuse(431, "there are more trailers than allowed")
	errTrailerName    = refuse(400, "a trailer carries a field that must not stand there")
)
