package http1

import "strconv"

// AppendStatusLine appends the status line with the reason phrase of the
// status, or an empty one.
func AppendStatusLine(b []byte, status int) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = AppendInt(b, int64(status))
	b = append(b, ' ')
	b = append(b, Reason(status)...)
	return append(b, "\r\n"...)
}

// AppendStatusReason appends the status line with a reason phrase of somebody
// else, as [ResponseHead] has it.
func AppendStatusReason(b []byte, status int, reason []byte) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = AppendInt(b, int64(status))
	b = append(b, ' ')
	b = append(b, reason...)
	return append(b, "\r\n"...)
}

// AppendField appends one field line. The name must be a token and the value
// free of control bytes: see [IsToken] and [IsFieldValue].
func AppendField(b, name, value []byte) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// AppendFieldString is AppendField for strings.
func AppendFieldString(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, value...)
	return append(b, "\r\n"...)
}

// AppendFieldInt appends a field line with a number.
func AppendFieldInt(b []byte, name string, value int64) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = AppendInt(b, value)
	return append(b, "\r\n"...)
}

// AppendFieldsEnd appends the empty line that ends a head or a trailer
// section.
func AppendFieldsEnd(b []byte) []byte { return append(b, "\r\n"...) }

// AppendInt appends a decimal number.
func AppendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }

// ChunkOverheadMax is the most that AppendChunkHeader and AppendChunkEnd add
// to a chunk.
const ChunkOverheadMax = chunkDigitsMax + len("\r\n\r\n")

// AppendChunkHeader appends the size line of a chunk of n bytes. n must be
// positive: a chunk of 0 bytes ends the body, see AppendLastChunk. The data
// and AppendChunkEnd follow.
func AppendChunkHeader(b []byte, n int) []byte {
	b = strconv.AppendUint(b, uint64(n), 16)
	return append(b, "\r\n"...)
}

// AppendChunkEnd appends what follows the data of a chunk.
func AppendChunkEnd(b []byte) []byte { return append(b, "\r\n"...) }

// AppendChunk appends data as one chunk, nothing when there is no data.
func AppendChunk(b, data []byte) []byte {
	if len(data) == 0 {
		return b
	}
	b = AppendChunkHeader(b, len(data))
	b = append(b, data...)
	return AppendChunkEnd(b)
}

// AppendLastChunk appends the end of a chunked body, with its trailers.
func AppendLastChunk(b []byte, trailers []Field) []byte {
	b = append(b, "0\r\n"...)
	for _, f := range trailers {
		b = AppendField(b, f.Name, f.Value)
	}
	return AppendFieldsEnd(b)
}
