package proxy

import (
	"regexp"
	"runtime"
	"strings"
	"testing"

	"gatehouse/tenancy"
)

// The corpus is what HTTP/1.1 may look like on either side of the gateway, as
// recorded exchanges: what must be refused, what must pass and as what. It is
// written from the RFCs and from the incidents of others.
// testdata/corpus/requests holds what clients send, testdata/corpus/answers
// what backends send; each archive is a class. A case NAME is these sections:
//
//	NAME              what it is, and where that comes from, in one line
//	NAME/in           what the client sends, on a connection of its own; a plain
//	                  GET unless it stands here
//	NAME/in ended     the same, and then its half of the TLS stream ends
//	NAME/answer       what the backend answers, when it has read the request;
//	                  204 unless it stands here. NAME/answer2 is for the second
//	                  request, and so on
//	NAME/answer early          it answers when it has received NAME/backend, and
//	                           does not wait for more of the body
//	NAME/answer fin, answer rst  behind it the backend ends the connection
//	NAME/later        what it sends when the client has received all that it is
//	                  to receive
//	NAME/backend      every byte that the backend receives on its first
//	                  connection, NAME/backend2 on its second
//	NAME/tenant       keys of the tenant's file
//
// and one of these, every byte that the client receives:
//
//	NAME/out          the connections go on: another request on the client's
//	                  is answered, on the same connection of the backend
//	NAME/closed       the client's connection ends in order
//	NAME/cut          it ends so that the client sees that something is missing
//	NAME/tunnel       it ends in order when the client has ended its half
//
// With "fresh" behind it, as in "NAME/out fresh", the backend's connection is
// closed, and another request comes on a fresh one; behind a tunnel that is so
// anyway. Without NAME/backend the backend is never connected to.
//
// NAME/standard says in one line what the data plane of the standard library
// does otherwise; NAME/standard/out and so on stand for NAME/out there, and an
// empty NAME/standard/backend says that the backend is never connected to. Order
// and case of fields, and reason phrases, are not compared there. With -update
// these sections are written anew.
//
// Bytes are written as in testdata/exchange: a line ends in CRLF, unless a
// backslash stands at its end; \r, \n, \t and \x00 are single bytes, so that
// `\n\` at the end of a line is a bare LF; {1000 x} is a thousand x, {9 times
// ab} nine ab; {fwd}, {std}, {ref} and {page STATUS} are what the gateway says
// itself.
func TestCorpus(t *testing.T) {
	if *update {
		updateCorpus(t)
		return
	}
	for name, plane := range map[string]DataPlane{"own": OwnPlane, "standard": StandardPlane} {
		stages := openStages(t, plane, 4*runtime.GOMAXPROCS(0))
		for _, kind := range []string{"requests", "answers"} {
			for _, archive := range readCorpus(t, kind) {
				for _, c := range archive.cases {
					t.Run(strings.Join([]string{name, kind, archive.class, c.name}, "/"), func(t *testing.T) {
						t.Parallel()
						s := <-stages
						defer func() { stages <- s }()
						s.play(t, c)
					})
				}
			}
		}
	}
}

// corpusStage is a gateway on which one case after the other is played.
type corpusStage struct {
	plane   DataPlane
	gateway *gateway
	idle    *tenancy.Table // has no use for the backend of any case
	// form is what counts of the bytes that are received. It keeps their number.
	form func(string) string
}

// quietTest keeps what the gateway logs about hundreds of refusals to itself.
type quietTest struct{ *testing.T }

func (quietTest) Log(...any) {}

// openStages starts n gateways: as many cases are played at once.
func openStages(t *testing.T, plane DataPlane, n int) chan *corpusStage {
	t.Helper()
	form := exactly
	if plane == StandardPlane {
		form = unorderedHeads
	}
	stages := make(chan *corpusStage, n)
	nobody := tenantWith("", "192.0.2.1:80")
	for range n {
		stages <- &corpusStage{
			plane:   plane,
			gateway: startGateway(quietTest{t}, nobody, setup{plane: plane}),
			idle:    compileTable(t, nobody, setup{}),
			form:    form,
		}
	}
	return stages
}

// heads finds the heads in what a connection has received.
var heads = regexp.MustCompile(`(?:HTTP/1\.[01] \d{3}[^\r\n]*|[^\r\n]* HTTP/1\.1)\r\n(?:[^\r\n]+\r\n)*\r\n`)

// unorderedHeads is unordered for all heads of a stream.
func unorderedHeads(s string) string { return heads.ReplaceAllStringFunc(s, unorderedHead) }
