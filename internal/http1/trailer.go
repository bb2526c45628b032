package http1

import "bytes"

// takeTrailer collects the trailer section, which may come in pieces, and
// returns how much of buf belongs to it.
func (d *ChunkDecoder) takeTrailer(buf []byte) int {
	room := d.lim.TrailerBytes - len(d.trailer)
	taken := 0
	for taken < len(buf) {
		i := bytes.IndexByte(buf[taken:], '\n')
		piece := buf[taken:]
		if i >= 0 {
			piece = piece[:i+1]
		}
		taken += len(piece)
		if taken > room {
			d.fail(errTrailerLong)
			return taken
		}
		d.trailer = append(d.trailer, piece...)
		if i >= 0 && d.trailerLine() {
			return taken
		}
	}
	return taken
}

// trailerLine looks at the line that has just ended; true says that the
// section, or the decoder, is at its end.
func (d *ChunkDecoder) trailerLine() bool {
	end := len(d.trailer)
	switch {
	case end < 2 || d.trailer[end-2] != '\r':
		d.fail(errBareLF)
	case end-2 == d.lines.start:
		d.parseTrailers()
	case len(d.lines.ends) == d.lim.Fields:
		d.fail(errTrailerMany)
	default:
		d.lines.ends = append(d.lines.ends, end)
		d.lines.start = end
	}
	return d.err != nil || d.state == chunkDone
}

func (d *ChunkDecoder) parseTrailers() {
	start := 0
	for _, end := range d.lines.ends {
		f, r := parseField(d.trailer[start : end-2])
		if r == nil && IsForbiddenTrailer(f.Name) {
			r = errTrailerName
		}
		if r != nil {
			d.fail(r)
			return
		}
		d.Trailers = append(d.Trailers, f)
		start = end
	}
	d.state = chunkDone
}

// forbiddenTrailers must be known before the body or concern one connection
// (RFC 9110 section 6.5.1): framing, routing, request modifiers,
// authentication, the form of the content.
var forbiddenTrailers = [...]string{
	"content-length", "transfer-encoding", "trailer", "te", "host",
	"connection", "keep-alive", "proxy-connection", "upgrade", "http2-settings",
	"cache-control", "expect", "max-forwards", "pragma", "range",
	"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
	"authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
	"cookie", "set-cookie", "location",
	"content-encoding", "content-type", "content-range",
}

// IsForbiddenTrailer reports whether a field must not stand in a trailer
// section, because a receiver that merged it into the head would be deceived.
func IsForbiddenTrailer(name []byte) bool {
	for _, f := range forbiddenTrailers {
		if EqualFold(name, f) {
			return true
		}
	}
	return IsForwarding(name)
}
