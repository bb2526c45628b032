package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// answerTime bounds what a client waits for; on a machine at rest nothing here
// takes a tenth of it.
const answerTime = time.Minute

// dialer connects from one of the addresses of 127.0.0.0/8.
func dialer(from string) *net.Dialer {
	return &net.Dialer{Timeout: answerTime, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
}

// client is a Go client with an address of its own, which finds every host at the gateway.
func (w *world) client(t *testing.T, from string, protocols ...string) *http.Client {
	t.Helper()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer(from).DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", w.https))
		},
		TLSClientConfig:   &tls.Config{RootCAs: w.trust(t), NextProtos: protocols},
		ForceAttemptHTTP2: len(protocols) > 0 && protocols[0] == "h2",
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: answerTime}
}

// get asks and wants a status; the body comes back.
func get(t *testing.T, c *http.Client, url string, want int) string {
	t.Helper()
	answer, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	if answer.StatusCode != want {
		t.Fatalf("GET %s = %d, want %d\n%s", url, answer.StatusCode, want, body)
	}
	return string(body)
}

// dial opens a TLS connection with a name of the caller's choice.
func (w *world) dial(t *testing.T, from, sni string, change ...func(*tls.Config)) (*tls.Conn, error) {
	t.Helper()
	raw, err := dialer(from).Dial("tcp", fmt.Sprintf("127.0.0.1:%d", w.https))
	if err != nil {
		t.Fatal(err)
	}
	return w.secure(t, raw, sni, change...)
}

// dialThroughBalancer does so behind a PROXY header that names the client.
func (w *world) dialThroughBalancer(t *testing.T, clientIP, sni string) (*tls.Conn, error) {
	t.Helper()
	raw, err := dialer(balancer).Dial("tcp", fmt.Sprintf("127.0.0.1:%d", w.proxied))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(raw, "PROXY TCP4 %s 127.0.0.1 40000 %d\r\n", clientIP, w.proxied); err != nil {
		t.Fatal(err)
	}
	return w.secure(t, raw, sni)
}

func (w *world) secure(t *testing.T, raw net.Conn, sni string, change ...func(*tls.Config)) (*tls.Conn, error) {
	t.Helper()
	t.Cleanup(func() { raw.Close() })
	if err := raw.SetDeadline(time.Now().Add(answerTime)); err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: w.trust(t), ServerName: sni}
	for _, f := range change {
		f(config)
	}
	c := tls.Client(raw, config)
	return c, c.Handshake()
}

// exchange writes bytes and reads one answer, on a connection that may go on.
func exchange(c net.Conn, text string) (*http.Response, string, error) {
	if _, err := io.WriteString(c, text); err != nil {
		return nil, "", err
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, string(body), err
}

// plainGet is a head without surprises.
func plainGet(target, host string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n"
}

// curl fetches as an operator would, with certificate verification and a source address, and gives head and body.
func (w *world) curl(t *testing.T, from string, args ...string) outcome {
	t.Helper()
	return w.runCurl(t, "", from, args...)
}

// curlWith does so for a client of acme that has something to send.
func (w *world) curlWith(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return w.runCurl(t, stdin, clientOfAcme, args...)
}

func (w *world) runCurl(t *testing.T, stdin, from string, args ...string) outcome {
	t.Helper()
	resolve := func(host string, port int) []string {
		return []string{"--resolve", fmt.Sprintf("%s:%d:127.0.0.1", host, port)}
	}
	all := []string{"--silent", "--show-error", "--include", "--max-time", "10", "--interface", from, "--cacert", w.rootFile(t)}
	for _, host := range []string{"acme.example", "shop.acme.example", "globex.example", "nobody.example"} {
		all = append(all, resolve(host, w.https)...)
		all = append(all, resolve(host, w.http)...)
	}
	return command(t, stdin, tool(t, "curl"), append(all, args...)...)
}

// has wants every word in what curl printed.
func (o outcome) has(t *testing.T, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(strings.ToLower(o.stdout), strings.ToLower(word)) {
			t.Errorf("answer lacks %q:\n%s%s", word, o.stdout, o.stderr)
		}
	}
}

// hasNot wants none of the words.
func (o outcome) hasNot(t *testing.T, words ...string) {
	t.Helper()
	for _, word := range words {
		if strings.Contains(strings.ToLower(o.stdout), strings.ToLower(word)) {
			t.Errorf("answer has %q:\n%s", word, o.stdout)
		}
	}
}
