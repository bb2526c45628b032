package dns01

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// callTimeMax bounds one HTTP call, attempts apart.
	callTimeMax = 20 * time.Second

	// answerBytesMax bounds what is read of an answer: it is a line of JSON, or a
	// page that says what went wrong.
	answerBytesMax = 16 << 10

	// answerHeadMax bounds the head of an answer.
	answerHeadMax = 16 << 10
)

// newHTTPClient returns a client that trusts roots (nil: the system's), follows
// no redirect, which could take credentials elsewhere, asks no proxy and keeps
// no connection: calls are minutes apart.
func newHTTPClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout: callTimeMax,
		Transport: &http.Transport{
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: answerHeadMax,
			ForceAttemptHTTP2:      false,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// jsonCaller posts JSON.
type jsonCaller struct {
	client *http.Client
	url    string
	header http.Header
	pause  time.Duration // before the second attempt
}

// post sends body and returns the answer's, which is bounded. Anything but 2xx
// is a failure; 5xx, 429 and a broken connection are tried again.
func (c *jsonCaller) post(ctx context.Context, body any) (answer []byte, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	err = retry(ctx, c.pause, func() error {
		answer, err = c.once(ctx, text)
		return err
	})
	return answer, err
}

func (c *jsonCaller) once(ctx context.Context, text []byte) ([]byte, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	q.Header = c.header.Clone()
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("User-Agent", "gatehouse")
	a, err := c.client.Do(q)
	if err != nil {
		return nil, &passing{error: plain(err)}
	}
	defer a.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(a.Body, answerBytesMax))
	if err != nil {
		return nil, &passing{error: fmt.Errorf("read the answer: %w", plain(err))}
	}
	if a.StatusCode/100 == 2 {
		return answer, nil
	}
	failure := fmt.Errorf("the answer is %d: %q", a.StatusCode, clip(string(answer)))
	if a.StatusCode >= 500 || a.StatusCode == http.StatusTooManyRequests {
		seconds, _ := strconv.Atoi(a.Header.Get("Retry-After"))
		return nil, &passing{error: failure, after: time.Duration(max(0, min(seconds, 3600))) * time.Second}
	}
	return nil, failure
}

// plain leaves the URL out of an error: it may hold a secret.
func plain(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		if e.Timeout() {
			return fmt.Errorf("no answer in time: %w", e.Err)
		}
		return e.Err
	}
	return err
}
