package http1

import (
	"errors"
	"strings"
	"testing"
)

const get = "GET / HTTP/1.1\r\n"

// refusedRequests are heads that no lenient reading may save, and why.
var refusedRequests = []struct {
	why, rfc, head string
	want           *rule
}{
	{"bare LF after the request line", "9112 2.2", "GET / HTTP/1.1\n" + host + end, errBareLF},
	{"bare LF after a field", "9112 2.2", get + "Host: a.example\n" + end, errBareLF},
	{"bare LF as the empty line", "9112 2.2", get + host + "\n", errBareLF},
	{"bare LFs only", "9112 2.2", "GET / HTTP/1.1\nHost: a.example\n\n", errBareLF},
	{"bare LF inside a value", "9112 2.2", get + host + "A: b\nc: d\r\n" + end, errBareLF},
	{"LF first", "9112 2.2", "\nGET / HTTP/1.1\r\n" + host + end, errBareLF},
	{"bare CR in the request line", "9112 2.2", "GET /\rx HTTP/1.1\r\n" + host + end, errTargetByte},
	{"bare CR after the version", "9112 2.2", "GET / HTTP/1.1\r\r\n" + host + end, errVersionForm},
	{"bare CR in a value", "9112 2.2", get + host + "A: b\rc\r\n" + end, errFieldValue},
	{"bare CR at the end of a value", "9112 2.2", get + host + "A: b\r\r\n" + end, errFieldValue},
	{"bare CR in a name", "9112 2.2", get + host + "A\rB: c\r\n" + end, errFieldName},
	{"bare CR first", "9112 2.2", "\rGET / HTTP/1.1\r\n" + host + end, errMethod},
	{"a line of one CR", "9112 2.2", get + host + "\r\r\n" + end, errNoColon},
	{"two empty lines before", "9112 2.2", "\r\n\r\nGET / HTTP/1.1\r\n" + host + end, errEmptyStart},
	{"an empty line and LF before", "9112 2.2", "\r\n\nGET / HTTP/1.1\r\n" + host + end, errBareLF},

	{"a TLS record", "9112 2.2", "\x16\x03\x01\x02\x00", errFirstByte},
	{"NUL first", "9112 2.2", "\x00GET / HTTP/1.1\r\n" + host + end, errFirstByte},
	{"a blank first", "9112 3", " GET / HTTP/1.1\r\n" + host + end, errFirstByte},
	{"a blank after the empty line", "9112 3", "\r\n GET / HTTP/1.1\r\n" + host + end, errRequestLine},
	{"a byte order mark", "9112 2.2", "\xef\xbb\xbfGET / HTTP/1.1\r\n" + host + end, errFirstByte},
	{"no method", "9112 3", "\r\n / HTTP/1.1\r\n" + host + end, errMethod},
	{"method with a colon", "9110 5.6.2", "GE:T / HTTP/1.1\r\n" + host + end, errMethod},
	{"method with a tab", "9110 5.6.2", "GET\t/ / HTTP/1.1\r\n" + host + end, errMethod},
	{"method with NUL", "9110 5.6.2", "G\x00T / HTTP/1.1\r\n" + host + end, errMethod},
	{"method with a brace", "9110 5.6.2", "G{T / HTTP/1.1\r\n" + host + end, errMethod},
	{"method beyond ASCII", "9110 5.6.2", "G\xc3\xa4T / HTTP/1.1\r\n" + host + end, errMethod},
	{"method too long", "9112 3", strings.Repeat("A", 33) + " / HTTP/1.1\r\n" + host + end, errMethod},

	{"HTTP/0.9", "9112 2.3", "GET /\r\n" + host + end, errRequestLine},
	{"no target", "9112 3", "GET HTTP/1.1\r\n" + host + end, errRequestLine},
	{"an empty target", "9112 3", "GET  HTTP/1.1\r\n" + host + end, errRequestLine},
	{"two blanks before the target", "9112 3", "GET  / HTTP/1.1\r\n" + host + end, errRequestLine},
	{"two blanks before the version", "9112 3", "GET /  HTTP/1.1\r\n" + host + end, errRequestLine},
	{"a blank after the version", "9112 3", "GET / HTTP/1.1 \r\n" + host + end, errRequestLine},
	{"a blank in the target", "9112 3.2", "GET /a b HTTP/1.1\r\n" + host + end, errRequestLine},
	{"tabs for blanks", "9112 3", "GET\t/\tHTTP/1.1\r\n" + host + end, errRequestLine},
	{"a tab before the version", "9112 3", "GET /\tHTTP/1.1\r\n" + host + end, errRequestLine},
	{"a tab in the target", "9112 3.2", "GET /a\tb HTTP/1.1\r\n" + host + end, errTargetByte},
	{"NUL in the target", "9112 3.2", "GET /a\x00b HTTP/1.1\r\n" + host + end, errTargetByte},
	{"ESC in the target", "9112 3.2", "GET /a\x1bb HTTP/1.1\r\n" + host + end, errTargetByte},
	{"DEL in the target", "9112 3.2", "GET /a\x7fb HTTP/1.1\r\n" + host + end, errTargetByte},
	{"a fragment", "9112 3.2.1", "GET /a#b HTTP/1.1\r\n" + host + end, errTargetByte},
	{"a fragment in the query", "9112 3.2.1", "GET /a?b#c HTTP/1.1\r\n" + host + end, errTargetByte},
	{"a fragment in an absolute target", "9112 3.2.2", "GET http://a.example/#b HTTP/1.1\r\n" + host + end, errTargetByte},
	{"a relative path", "9112 3.2", "GET a/b HTTP/1.1\r\n" + host + end, errTargetForm},
	{"a query alone", "9112 3.2", "GET ?a HTTP/1.1\r\n" + host + end, errTargetForm},
	{"* with GET", "9112 3.2.4", "GET * HTTP/1.1\r\n" + host + end, errAsterisk},
	{"* with HEAD", "9112 3.2.4", "HEAD * HTTP/1.1\r\n" + host + end, errAsterisk},
	{"** with OPTIONS", "9112 3.2.4", "OPTIONS ** HTTP/1.1\r\n" + host + end, errTargetForm},
	{"*? with OPTIONS", "9112 3.2.4", "OPTIONS *?a HTTP/1.1\r\n" + host + end, errTargetForm},
	{"options in lower case with *", "9110 9.1", "options * HTTP/1.1\r\n" + host + end, errAsterisk},
	{"ftp", "9112 3.2.2", "GET ftp://a.example/ HTTP/1.1\r\n" + host + end, errTargetForm},
	{"ws", "9112 3.2.2", "GET ws://a.example/ HTTP/1.1\r\n" + host + end, errTargetForm},
	{"file", "9112 3.2.2", "GET file:///etc HTTP/1.1\r\n" + host + end, errTargetForm},
	{"scheme with one slash", "9112 3.2.2", "GET http:/a.example/ HTTP/1.1\r\n" + host + end, errTargetForm},
	{"scheme with a backslash", "9112 3.2.2", "GET http:\\\\a.example/ HTTP/1.1\r\n" + host + end, errTargetForm},
	{"authority form with GET", "9112 3.2.3", "GET a.example:443 HTTP/1.1\r\n" + host + end, errTargetForm},
	{"absolute without an authority", "9110 4.2.1", "GET http:///x HTTP/1.1\r\n" + host + end, errTargetForm},
	{"absolute with user information", "9110 4.2.4", "GET http://u@a.example/ HTTP/1.1\r\n" + host + end, errTargetForm},
	{"absolute with user and password", "9110 4.2.4", "GET http://u:p@a.example/ HTTP/1.1\r\n" + host + end, errTargetForm},
	{"absolute with port 0", "3986 3.2.3", "GET http://a.example:0/ HTTP/1.1\r\n" + host + end, errTargetForm},
	{"absolute with another host", "9112 3.2.2", "GET http://b.example/ HTTP/1.1\r\n" + host + end, errHostMismatch},
	{"absolute with another port", "9112 3.2.2", "GET http://a.example:81/ HTTP/1.1\r\n" + host + end, errHostMismatch},
	{"absolute with the port of https", "9112 3.2.2", "GET http://a.example:443/ HTTP/1.1\r\n" + host + end, errHostMismatch},
	{"absolute https with port 80", "9112 3.2.2", "GET https://a.example/ HTTP/1.1\r\nHost: a.example:80\r\n" + end, errHostMismatch},
	{"absolute with a subdomain", "9112 3.2.2", "GET http://x.a.example/ HTTP/1.1\r\n" + host + end, errHostMismatch},
	{"absolute without Host", "9112 3.2.2", "GET http://a.example/ HTTP/1.1\r\n" + end, errHostMissing},
	{"target too long", "9112 3", "GET /" + strings.Repeat("a", 16<<10) + " HTTP/1.1\r\n" + host + end, errTargetLong},
	{"target that never ends", "9112 3", "GET /" + strings.Repeat("a", 17<<10), errTargetLong},

	{"CONNECT", "9112 3.2.3", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n" + end, errConnect},
	{"CONNECT with a path", "9110 9.3.6", "CONNECT / HTTP/1.1\r\n" + host + end, errConnect},
	{"CONNECT by HTTP/1.0", "9110 9.3.6", "CONNECT a.example:443 HTTP/1.0\r\n" + end, errConnect},

	{"HTTP/2.0", "9112 2.3", "GET / HTTP/2.0\r\n" + host + end, errVersion},
	{"the preface of HTTP/2", "9113 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", errVersion},
	{"HTTP/1.2", "9112 2.3", "GET / HTTP/1.2\r\n" + host + end, errVersion},
	{"HTTP/0.9 written out", "9112 2.3", "GET / HTTP/0.9\r\n" + host + end, errVersion},
	{"HTTP/3.0", "9112 2.3", "GET / HTTP/3.0\r\n" + host + end, errVersion},
	{"http/1.1", "9112 2.3", "GET / http/1.1\r\n" + host + end, errVersionForm},
	{"HTTP/1", "9112 2.3", "GET / HTTP/1\r\n" + host + end, errVersionForm},
	{"HTTP/1.10", "9112 2.3", "GET / HTTP/1.10\r\n" + host + end, errVersionForm},
	{"HTTP/01.1", "9112 2.3", "GET / HTTP/01.1\r\n" + host + end, errVersionForm},
	{"HTTP/1,1", "9112 2.3", "GET / HTTP/1,1\r\n" + host + end, errVersionForm},
	{"HTTP/1.1x", "9112 2.3", "GET / HTTP/1.1x\r\n" + host + end, errVersionForm},
	{"ICY/1.1", "9112 2.3", "GET / ICAP/1.0\r\n" + host + end, errVersionForm},
	{"NUL after the version", "9112 2.3", "GET / HTTP/1.1\x00\r\n" + host + end, errVersionForm},

	{"obs-fold with a blank", "9112 5.2", get + host + "A: b\r\n c\r\n" + end, errFold},
	{"obs-fold with a tab", "9112 5.2", get + host + "A: b\r\n\tc\r\n" + end, errFold},
	{"obs-fold of Transfer-Encoding", "9112 5.2", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n chunked\r\n" + end, errCoding},
	{"a blank before the first field", "9112 2.2", get + " " + host + end, errFold},
	{"a line of blanks", "9112 5.2", get + host + "  \r\n" + end, errFold},
	{"a blank before the colon", "9112 5.1", get + host + "A : b\r\n" + end, errBeforeColon},
	{"a tab before the colon", "9112 5.1", get + host + "A\t: b\r\n" + end, errBeforeColon},
	{"a blank before the colon of Host", "9112 5.1", get + "Host : a.example\r\n" + end, errBeforeColon},
	{"a blank before the colon of Transfer-Encoding", "9112 5.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding : chunked\r\n" + end, errBeforeColon},
	{"no colon", "9112 5", get + host + "A\r\n" + end, errNoColon},
	{"a request line as a field", "9112 5", get + host + "GET / HTTP/1.1\r\n" + end, errNoColon},
	{"no name", "9110 5.1", get + host + ": b\r\n" + end, errFieldName},
	{"a blank in a name", "9110 5.1", get + host + "A B: c\r\n" + end, errFieldName},
	{"NUL in a name", "9110 5.1", get + host + "A\x00: c\r\n" + end, errFieldName},
	{"a slash in a name", "9110 5.1", get + host + "A/B: c\r\n" + end, errFieldName},
	{"brackets in a name", "9110 5.1", get + host + "A[0]: c\r\n" + end, errFieldName},
	{"a name beyond ASCII", "9110 5.1", get + host + "\xc3\x84: c\r\n" + end, errFieldName},
	{"a long s in Host", "9110 5.1", get + "Ho\xc5\xbft: a.example\r\n" + end, errFieldName},
	{"DEL in a name", "9110 5.1", get + host + "A\x7f: c\r\n" + end, errFieldName},
	{"NUL in a value", "9110 5.5", get + host + "A: b\x00c\r\n" + end, errFieldValue},
	{"NUL deep in a long value", "9110 5.5", get + host + "A: 0123456789abcdef\x000123456789\r\n" + end, errFieldValue},
	{"SOH in a value", "9110 5.5", get + host + "A: b\x01\r\n" + end, errFieldValue},
	{"ESC in a value", "9110 5.5", get + host + "A: \x1b[31mred and blue\r\n" + end, errFieldValue},
	{"DEL in a value", "9110 5.5", get + host + "A: b\x7f\r\n" + end, errFieldValue},
	{"DEL deep in a long value", "9110 5.5", get + host + "A: 0123456789abcdef\x7f0123456789\r\n" + end, errFieldValue},
	{"a vertical tab at the end of a value", "9110 5.5", get + host + "A: b\x0b\r\n" + end, errFieldValue},
	{"a form feed before a value", "9110 5.5", get + host + "A:\x0cb\r\n" + end, errFieldValue},

	{"no Host", "9112 3.2", get + end, errHostMissing},
	{"no Host but others", "9112 3.2", get + "A: b\r\n" + end, errHostMissing},
	{"no Host with HTTP/1.0", "9112 3.2", "GET / HTTP/1.0\r\n" + end, errHostMissing},
	{"two Hosts", "9112 3.2", get + host + "Host: b.example\r\n" + end, errHostTwice},
	{"two equal Hosts", "9112 3.2", get + host + host + end, errHostTwice},
	{"two Hosts in two cases", "9112 3.2", get + host + "HOST: a.example\r\n" + end, errHostTwice},
	{"empty Host", "9110 7.2", get + "Host:\r\n" + end, errHostForm},
	{"blank Host", "9110 7.2", get + "Host:  \r\n" + end, errHostForm},
	{"a list of Hosts", "9110 7.2", get + "Host: a.example, b.example\r\n" + end, errHostForm},
	{"a list of Hosts without blanks", "9110 7.2", get + "Host: a.example,b.example\r\n" + end, errHostForm},
	{"Host with a path", "9110 7.2", get + "Host: a.example/x\r\n" + end, errHostForm},
	{"Host with a scheme", "9110 7.2", get + "Host: http://a.example\r\n" + end, errHostForm},
	{"Host with a user", "9110 7.2", get + "Host: u@a.example\r\n" + end, errHostForm},
	{"Host with a blank", "9110 7.2", get + "Host: a.example b\r\n" + end, errHostForm},
	{"Host with an encoded byte", "3986 3.2.2", get + "Host: a%2eexample\r\n" + end, errHostForm},
	{"Host beyond ASCII", "3986 3.2.2", get + "Host: b\xc3\xbccher.example\r\n" + end, errHostForm},
	{"Host with a star", "3986 3.2.2", get + "Host: *.example\r\n" + end, errHostForm},
	{"Host with a backslash", "3986 3.2.2", get + "Host: a\\b\r\n" + end, errHostForm},
	{"Host begins with a dot", "1034 3.1", get + "Host: .example\r\n" + end, errHostForm},
	{"Host with two dots", "1034 3.1", get + "Host: a..example\r\n" + end, errHostForm},
	{"Host ends in two dots", "1034 3.1", get + "Host: a.example..\r\n" + end, errHostForm},
	{"Host is a dot", "1034 3.1", get + "Host: .\r\n" + end, errHostForm},
	{"Host with a label too long", "1035 2.3.4", get + "Host: " + strings.Repeat("a", 64) + ".b\r\n" + end, errHostForm},
	{"Host too long", "1035 2.3.4", get + "Host: " + strings.Repeat("a.", 127) + "b\r\n" + end, errHostForm},
	{"Host with an empty port", "3986 3.2.3", get + "Host: a.example:\r\n" + end, errHostForm},
	{"Host with port 0", "3986 3.2.3", get + "Host: a.example:0\r\n" + end, errHostForm},
	{"Host with port 080", "3986 3.2.3", get + "Host: a.example:080\r\n" + end, errHostForm},
	{"Host with port 65536", "3986 3.2.3", get + "Host: a.example:65536\r\n" + end, errHostForm},
	{"Host with port 99999", "3986 3.2.3", get + "Host: a.example:99999\r\n" + end, errHostForm},
	{"Host with port 100000", "3986 3.2.3", get + "Host: a.example:100000\r\n" + end, errHostForm},
	{"Host with port 443x", "3986 3.2.3", get + "Host: a.example:443x\r\n" + end, errHostForm},
	{"Host with port +443", "3986 3.2.3", get + "Host: a.example:+443\r\n" + end, errHostForm},
	{"Host with two ports", "3986 3.2.3", get + "Host: a.example:443:443\r\n" + end, errHostForm},
	{"Host is a port", "3986 3.2.3", get + "Host: :443\r\n" + end, errHostForm},
	{"Host is IPv6 without brackets", "3986 3.2.2", get + "Host: ::1\r\n" + end, errHostForm},
	{"Host with an open bracket", "3986 3.2.2", get + "Host: [::1\r\n" + end, errHostForm},
	{"Host with empty brackets", "3986 3.2.2", get + "Host: []\r\n" + end, errHostForm},
	{"Host with something behind brackets", "3986 3.2.2", get + "Host: [::1]x:80\r\n" + end, errHostForm},
	{"Host with a zone", "6874 2", get + "Host: [fe80::1%25eth0]\r\n" + end, errHostForm},
	{"Host with IPvFuture", "3986 3.2.2", get + "Host: [v1.a]\r\n" + end, errHostForm},
	{"Host with IPv4 in brackets", "3986 3.2.2", get + "Host: [192.0.2.1]\r\n" + end, errHostForm},
	{"Host with nine groups", "4291 2.2", get + "Host: [1:2:3:4:5:6:7:8:9]\r\n" + end, errHostForm},
	{"Host with two compressions", "4291 2.2", get + "Host: [1::2::3]\r\n" + end, errHostForm},
	{"Host with three colons", "4291 2.2", get + "Host: [:::1]\r\n" + end, errHostForm},

	{"length and coding", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" + end, errLengthAndCode},
	{"coding and length", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n" + end, errLengthAndCode},
	{"coding and length 0", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n" + end, errLengthAndCode},
	{"two lengths", "9112 6.3", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n" + end, errLengthTwice},
	{"two equal lengths", "9112 6.3", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\ncontent-length: 5\r\n" + end, errLengthTwice},
	{"a list of lengths", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5, 5\r\n" + end, errLengthForm},
	{"empty length", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length:\r\n" + end, errLengthForm},
	{"length +5", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length: +5\r\n" + end, errLengthForm},
	{"length -1", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n" + end, errLengthForm},
	{"length 0x5", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length: 0x5\r\n" + end, errLengthForm},
	{"length 1_0", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1_0\r\n" + end, errLengthForm},
	{"length 5.0", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5.0\r\n" + end, errLengthForm},
	{"length 5 6", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length: 5 6\r\n" + end, errLengthForm},
	{"length in quotes", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length: \"5\"\r\n" + end, errLengthForm},
	{"length of 19 digits", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length: 1000000000000000000\r\n" + end, errLengthForm},
	{"length beyond 64 bits", "9110 8.6", "POST / HTTP/1.1\r\n" + host + "Content-Length: 18446744073709551621\r\n" + end, errLengthForm},
	{"coding gzip", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n" + end, errCoding},
	{"coding identity", "9112 7", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: identity\r\n" + end, errCoding},
	{"coding gzip, chunked", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n" + end, errCoding},
	{"coding chunked, chunked", "9112 7.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked, chunked\r\n" + end, errCoding},
	{"coding chunked with a comma", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked,\r\n" + end, errCoding},
	{"coding chunked after a comma", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: ,chunked\r\n" + end, errCoding},
	{"coding chunked;q=1", "9112 7", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked;q=1\r\n" + end, errCoding},
	{"coding xchunked", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n" + end, errCoding},
	{"coding in quotes", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \"chunked\"\r\n" + end, errCoding},
	{"coding after a vertical tab", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: \x0bchunked\r\n" + end, errFieldValue},
	{"empty coding", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding:\r\n" + end, errCoding},
	{"two codings", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" + end, errCoding},
	{"two codings, one unknown", "9112 6.1", "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n" + end, errCoding},
	{"coding with HTTP/1.0", "9112 6.1", "POST / HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n" + end, errCodingIn10},

	{"another expectation", "9110 10.1.1", "POST / HTTP/1.1\r\n" + host + "Expect: wonder\r\nContent-Length: 5\r\n" + end, errExpectation},
	{"empty expectation", "9110 10.1.1", "POST / HTTP/1.1\r\n" + host + "Expect:\r\nContent-Length: 5\r\n" + end, errExpectation},
	{"a list of expectations", "9110 10.1.1", "POST / HTTP/1.1\r\n" + host + "Expect: 100-continue, 100-continue\r\nContent-Length: 5\r\n" + end, errExpectation},
	{"expectation with a blank", "9110 10.1.1", "POST / HTTP/1.1\r\n" + host + "Expect: 100 continue\r\nContent-Length: 5\r\n" + end, errExpectation},
	{"a second, other expectation", "9110 10.1.1", "POST / HTTP/1.1\r\n" + host + "Expect: wonder\r\nExpect: 100-continue\r\nContent-Length: 5\r\n" + end, errExpectation},

	{"Connection names Host", "9110 7.6.1", get + host + "Connection: Host\r\n" + end, errNominated},
	{"Connection names Content-Length", "9110 7.6.1", get + host + "Connection: close, content-length\r\n" + end, errNominated},
	{"Connection names Transfer-Encoding", "9110 7.6.1", get + host + "Connection: transfer-encoding\r\n" + end, errNominated},
	{"Connection names Authorization", "9110 7.6.1", get + host + "Connection: Authorization\r\n" + end, errNominated},
	{"Connection names Cookie", "9110 7.6.1", get + host + "Connection: cookie\r\n" + end, errNominated},
	{"Connection names X-Forwarded-For", "9110 7.6.1", get + host + "Connection: close, X-Forwarded-For\r\n" + end, errNominated},
	{"Connection names X-Forwarded-Anything", "9110 7.6.1", get + host + "Connection: x-forwarded-anything\r\n" + end, errNominated},
	{"Connection names X-Real-IP", "9110 7.6.1", get + host + "Connection: x-real-ip\r\n" + end, errNominated},
	{"Connection names Forwarded", "7239 4", get + host + "Connection: Forwarded\r\n" + end, errNominated},
	{"Connection option with a blank", "9110 7.6.1", get + host + "Connection: close x\r\n" + end, errConnection},
	{"Connection option in quotes", "9110 7.6.1", get + host + "Connection: \"close\"\r\n" + end, errConnection},
	{"33 Connection options", "9110 7.6.1", get + host + "Connection: a" + strings.Repeat(",b", 32) + "\r\n" + end, errOptionsMany},
	{"33 Connection options in two fields", "9110 7.6.1", get + host + "Connection: a" + strings.Repeat(",b", 30) + "\r\nConnection: c,d\r\n" + end, errOptionsMany},
	{"33 empty Connection options", "9110 5.6.1", get + host + "Connection: " + strings.Repeat(",", 33) + "\r\n" + end, errOptionsMany},
	{"Connection options by semicolon", "9110 7.6.1", get + host + "Connection: close; x\r\n" + end, errConnection},

	{"too many fields", "9110 5.4", get + host + strings.Repeat("A: b\r\n", 128) + end, errFieldsMany},
	{"too many fields, unfinished", "9110 5.4", get + host + strings.Repeat("A: b\r\n", 128), errFieldsMany},
	{"head too large", "9110 5.4", get + host + "A: " + strings.Repeat("b", 64<<10) + "\r\n" + end, errHeadLong},
	{"head too large, unfinished", "9110 5.4", get + host + "A: " + strings.Repeat("b", 64<<10), errHeadLong},
}

func TestRefusedRequests(t *testing.T) {
	if n := len(acceptedRequests) + len(refusedRequests); n < 150 {
		t.Errorf("%d requests in the tables, want at least 150", n)
	}
	for _, c := range refusedRequests {
		var h RequestHead
		n, err := h.Parse([]byte(c.head), DefaultLimits())
		if n != 0 || err != &c.want.request {
			t.Errorf("%s (RFC %s): %d, %v, want %q", c.why, c.rfc, n, err, c.want.request.Text)
		}
	}
}

// TestRefusedByteByByte feeds every refused head one byte at a time: it must
// be refused for the same reason, and no byte later than its end.
func TestRefusedByteByByte(t *testing.T) {
	for _, c := range refusedRequests {
		var h RequestHead
		buf, err := []byte(c.head), error(ErrIncomplete)
		for i := 0; i <= len(buf) && errors.Is(err, ErrIncomplete); i++ {
			_, err = h.Parse(buf[:i], DefaultLimits())
		}
		if err != &c.want.request {
			t.Errorf("%s (RFC %s): %v, want %q", c.why, c.rfc, err, c.want.request.Text)
		}
	}
}

// TestRefusedEarly holds what need not wait for the end of the head.
func TestRefusedEarly(t *testing.T) {
	for _, head := range []string{"\x16", "\n", "GET / HTTP/1.1\n", "\r\n\r\n", get + "A: b\n"} {
		var h RequestHead
		if _, err := h.Parse([]byte(head), DefaultLimits()); err == nil || errors.Is(err, ErrIncomplete) {
			t.Errorf("%q: %v, want a refusal", head, err)
		}
	}
}

func TestStatusOfRefusals(t *testing.T) {
	for r, want := range map[*rule]int{
		errBareLF: 400, errConnect: 405, errTargetLong: 414, errExpectation: 417,
		errHeadLong: 431, errFieldsMany: 431, errVersion: 400,
	} {
		if r.request.Status != want || r.response.Status != 502 {
			t.Errorf("%q: %d and %d, want %d and 502", r.request.Text, r.request.Status, r.response.Status, want)
		}
	}
}
