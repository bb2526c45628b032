package http1

// ChunkDecoder takes the chunked coding off a body (RFC 9112 section 7.1),
// fed with slices of any size. The zero value must be Reset before use. It
// allocates for trailers only, and keeps that memory for the next body.
type ChunkDecoder struct {
	// Trailers is the trailer section once the body is done; its bytes belong
	// to the decoder and hold until Reset.
	Trailers []Field

	lim       Limits
	state     chunkState
	left      int64 // bytes of the chunk at hand that are still to come
	digits    int   // of its size
	extension int   // bytes of all extensions so far
	trailer   []byte
	lines     lines
	err       error // sticks
}

// Reset begins a new body.
func (d *ChunkDecoder) Reset(lim Limits) {
	clear(d.Trailers)
	d.lines.reset()
	*d = ChunkDecoder{Trailers: d.Trailers[:0], lim: lim, trailer: d.trailer[:0], lines: d.lines}
}

// Next reads from the beginning of buf. It returns a piece of the body, a view
// into buf that may be empty, and how many bytes of buf are dealt with; call
// again with the rest until nothing is left or done is true. Bytes behind a
// done body are left alone: they belong to the next message. An error is a
// *[Error], final, and comes without data; its Status is meant for a client,
// from a backend it is a bad gateway. A stream that ends before done was cut
// short.
func (d *ChunkDecoder) Next(buf []byte) (data []byte, n int, done bool, err error) {
	for d.err == nil && d.state != chunkDone && n < len(buf) {
		switch d.state {
		case chunkData:
			size := int(min(d.left, int64(len(buf)-n)))
			data = buf[n : n+size : n+size]
			if d.left -= int64(size); d.left == 0 {
				d.state = chunkDataCR
			}
			return data, n + size, false, nil
		case chunkTrailer:
			n += d.takeTrailer(buf[n:])
		default:
			d.step(buf[n])
			n++
		}
	}
	return nil, n, d.state == chunkDone && d.err == nil, d.err
}

func (d *ChunkDecoder) fail(r *rule) { d.err = &r.request }

// chunkState is what the next byte must be.
type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkSizeLF
	chunkExtName       // the first byte of an extension's name
	chunkExtNameMore   // more of it, or '=', ';', CR
	chunkExtValue      // the first byte of its value
	chunkExtToken      // more of a token, or ';', CR
	chunkExtQuoted     // inside a quoted string
	chunkExtQuotedPair // behind a backslash
	chunkExtEnd        // ';' or CR behind a quoted string
	chunkData
	chunkDataCR
	chunkDataLF
	chunkTrailer
	chunkDone
)

// step takes one byte of the framing between two pieces of data.
func (d *ChunkDecoder) step(c byte) {
	switch d.state {
	case chunkSize:
		d.size(c)
	case chunkSizeLF:
		d.sizeEnd(c)
	case chunkDataCR:
		d.expect(c, '\r', chunkDataLF)
	case chunkDataLF:
		d.expect(c, '\n', chunkSize)
		d.digits = 0
	default:
		if d.extension++; d.extension > d.lim.ChunkExtensionBytes {
			d.fail(errChunkExtLong)
			return
		}
		d.ext(c)
	}
}

func (d *ChunkDecoder) expect(c, want byte, next chunkState) {
	if c != want {
		d.fail(errChunkEnd)
		return
	}
	d.state = next
}

func (d *ChunkDecoder) size(c byte) {
	v := hexValue(c)
	switch {
	case v >= 0 && d.digits == chunkDigitsMax:
		d.fail(errChunkSize)
	case v >= 0 && d.left > chunkSizeMax>>4:
		d.fail(errChunkLarge)
	case v >= 0:
		d.left = d.left<<4 | int64(v)
		d.digits++
	case d.digits == 0:
		d.fail(errChunkSize)
	case d.left > chunkSizeMax:
		d.fail(errChunkLarge)
	default:
		d.afterExtension(c)
	}
}

// afterExtension takes what may follow a size or a whole extension.
func (d *ChunkDecoder) afterExtension(c byte) {
	switch c {
	case '\r':
		d.state = chunkSizeLF
	case ';':
		d.state = chunkExtName
	default:
		d.fail(errChunkLine)
	}
}

func (d *ChunkDecoder) sizeEnd(c byte) {
	switch {
	case c != '\n':
		d.fail(errChunkLine)
	case d.left == 0:
		d.state = chunkTrailer
	default:
		d.state = chunkData
	}
}

// ext takes one byte of *( ";" token [ "=" ( token / quoted-string ) ] ). The
// blanks that RFC 9112 section 7.1.1 calls bad are refused.
func (d *ChunkDecoder) ext(c byte) {
	token := tokenBytes[c]
	switch {
	case d.state == chunkExtName && token:
		d.state = chunkExtNameMore
	case d.state == chunkExtNameMore && token, d.state == chunkExtToken && token:
	case d.state == chunkExtNameMore && c == '=':
		d.state = chunkExtValue
	case d.state == chunkExtValue && token:
		d.state = chunkExtToken
	case d.state == chunkExtValue && c == '"', d.state == chunkExtQuotedPair && quotable(c):
		d.state = chunkExtQuoted
	case d.state == chunkExtQuoted && c == '\\':
		d.state = chunkExtQuotedPair
	case d.state == chunkExtQuoted && c == '"':
		d.state = chunkExtEnd
	case d.state == chunkExtQuoted && quotable(c):
	case (c == '\r' || c == ';') && d.extensionMayEnd():
		d.afterExtension(c)
	default:
		d.fail(errChunkExtension)
	}
}

func (d *ChunkDecoder) extensionMayEnd() bool {
	return d.state == chunkExtNameMore || d.state == chunkExtToken || d.state == chunkExtEnd
}

// quotable is what may stand in a quoted string (RFC 9110 section 5.6.4).
func quotable(c byte) bool { return c == '\t' || (c >= ' ' && c != 0x7f) }
