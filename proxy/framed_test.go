package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// framed is an HTTP/2 client that says what it is told, frame by frame.
type framed struct {
	*http2.Framer
	t    testing.TB
	conn *tls.Conn
	head bytes.Buffer
	hpe  *hpack.Encoder
}

// frames opens an HTTP/2 connection and exchanges settings.
func (w *world) frames(ip, host string) *framed {
	w.t.Helper()
	c, err := w.tryDial(ip, w.tlsConfig(host, "h2"))
	if err != nil {
		w.t.Fatal(err)
	}
	f := &framed{Framer: http2.NewFramer(c, c), t: w.t, conn: c}
	f.hpe = hpack.NewEncoder(&f.head)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_, _ = io.WriteString(c, http2.ClientPreface)
	f.must(f.WriteSettings())
	f.must(f.WriteSettingsAck())
	_ = c.SetReadDeadline(time.Now().Add(patience))
	return f
}

func (f *framed) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// ask sends the head of a request: names and values in turn.
func (f *framed) ask(stream uint32, end bool, fields ...string) {
	f.t.Helper()
	f.head.Reset()
	for i := 0; i < len(fields); i += 2 {
		f.must(f.hpe.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}))
	}
	f.must(f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.head.Bytes(), EndStream: end, EndHeaders: true}))
}

// get asks for a path of a.example.
func (f *framed) get(stream uint32, path string) {
	f.t.Helper()
	f.ask(stream, true, ":method", "GET", ":scheme", "https", ":authority", "a.example", ":path", path)
}

// answer is how a stream ended: "200", "RST PROTOCOL_ERROR", "GOAWAY NO_ERROR",
// "closed"; an interim status is not an end. The body comes behind a blank.
func (f *framed) answer(stream uint32) string {
	f.t.Helper()
	status, body := "", ""
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				return "nothing"
			}
			return strings.TrimSpace(status + " closed")
		}
		if goAway, ok := frame.(*http2.GoAwayFrame); ok && goAway.ErrCode != http2.ErrCodeNo {
			return "GOAWAY " + goAway.ErrCode.String()
		}
		if frame.Header().StreamID != stream {
			continue
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			if status == "" || status[0] == '1' {
				status = frame.PseudoValue("status")
			}
		case *http2.DataFrame:
			body += string(frame.Data())
		case *http2.RSTStreamFrame:
			return strings.TrimSpace(status + " RST " + frame.ErrCode.String())
		}
		if frame.Header().Flags.Has(http2.FlagDataEndStream) && frame.Header().Type != http2.FrameSettings {
			return strings.TrimSpace(status + " " + body)
		}
	}
}
