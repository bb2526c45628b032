package dnsquery

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
)

const (
	// datagramBytes is what we say we take by UDP: it is never fragmented (DNS
	// flag day 2020).
	datagramBytes = 1232

	// datagramMax is what is read of a datagram: some servers send more than one
	// says one takes.
	datagramMax = 4096

	// straysMost is how many datagrams that are no answer are passed over while
	// one waits. A stranger who sends more guesses at an id, and the attempt is
	// over.
	straysMost = 16
)

// exchange sends a query and returns the answer to it.
func exchange(ctx context.Context, network, server string, q *dns.Msg) (*dns.Msg, *Error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, server)
	if err != nil {
		return nil, networkError(ctx, err)
	}
	defer conn.Close()
	// Deadlines alone would miss a cancelled context.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	packed, err := q.Pack()
	if err != nil {
		return nil, &Error{Kind: NotAName, Detail: printable(err.Error())}
	}
	co := &dns.Conn{Conn: conn}
	if _, err := co.Write(packed); err != nil {
		return nil, networkError(ctx, err)
	}
	return receive(ctx, co, q)
}

// receive reads until the answer comes. What is none is passed over by UDP,
// where anybody can send a datagram that looks like the server's.
func receive(ctx context.Context, co *dns.Conn, q *dns.Msg) (*dns.Msg, *Error) {
	_, datagrams := co.Conn.(*net.UDPConn)
	size := dns.MaxMsgSize
	if datagrams {
		size = datagramMax
	}
	buffer := make([]byte, size)
	stray := ""
	for range straysMost {
		n, err := co.Read(buffer)
		if err != nil {
			if stray != "" {
				return nil, &Error{Kind: Malformed, Detail: stray}
			}
			return nil, networkError(ctx, err)
		}
		m := new(dns.Msg)
		if err := m.Unpack(buffer[:n]); err != nil {
			stray = printable(strings.TrimPrefix(err.Error(), "dns: "))
		} else if stray = mismatch(q, m); stray == "" {
			return m, nil
		}
		if !datagrams {
			break
		}
	}
	return nil, &Error{Kind: Malformed, Detail: stray}
}

// mismatch says why m is no answer to q, or nothing.
func mismatch(q, m *dns.Msg) string {
	switch {
	case !m.Response:
		return "it is a question"
	case m.Id != q.Id:
		return "it answers another query"
	case m.Opcode != q.Opcode:
		return "it answers another kind of query"
	case len(m.Question) == 0 && m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return "" // servers that fail may leave the question out
	case len(m.Question) != 1 || !strings.EqualFold(m.Question[0].Name, q.Question[0].Name) ||
		m.Question[0].Qtype != q.Question[0].Qtype || m.Question[0].Qclass != q.Question[0].Qclass:
		return "it answers another question"
	}
	return ""
}

func networkError(ctx context.Context, err error) *Error {
	switch {
	case ctx.Err() != nil, errors.Is(err, os.ErrDeadlineExceeded):
		return &Error{Kind: Timeout}
	case isClosed(err):
		return &Error{Kind: Malformed, Detail: "the connection ended before the answer"}
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return &Error{Kind: Unreachable, Detail: printable(err.Error())}
}
