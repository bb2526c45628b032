package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
)

// answerBytesMax bounds what a command reads from the socket: the status of a
// hundred thousand hosts is a few dozen MiB.
const answerBytesMax = 256 << 20

// ErrNotRunning means that no process listens on the command socket.
var ErrNotRunning = errors.New("no gatehouse is running here")

// Client speaks to a running gateway over its command socket.
type Client struct {
	path string
	http http.Client
}

// NewClient returns a Client for the socket at path. Nothing is opened yet.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status asks how the gateway is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var status Status
	err := c.call(ctx, http.MethodGet, "/v1/status", nil, &status)
	return status, err
}

// Explain asks the running table for its verdict.
func (c *Client) Explain(ctx context.Context, q ExplainQuery) (Explanation, error) {
	var explanation Explanation
	values := url.Values{"url": {q.URL}, "from": {q.From}, "sni": {q.SNI}, "method": {q.Method}, "user": {q.User}}
	err := c.call(ctx, http.MethodGet, "/v1/explain", values, &explanation)
	return explanation, err
}

// Reload has the gateway read its files again and waits for the outcome.
func (c *Client) Reload(ctx context.Context, force bool) (ReloadResult, error) {
	var result ReloadResult
	values := url.Values{}
	if force {
		values.Set("force", "true")
	}
	err := c.call(ctx, http.MethodPost, "/v1/reload", values, &result)
	return result, err
}

// RootPEM asks for the internal CA's root certificate.
func (c *Client) RootPEM(ctx context.Context) ([]byte, error) {
	var pem []byte
	err := c.ask(ctx, http.MethodGet, "/v1/ca", nil, func(body io.Reader) (err error) {
		pem, err = io.ReadAll(body)
		return err
	})
	return pem, err
}

// Keys asks which key seals how much of the state.
func (c *Client) Keys(ctx context.Context) (KeysStatus, error) {
	var status KeysStatus
	err := c.call(ctx, http.MethodGet, "/v1/keys", nil, &status)
	return status, err
}

// RotateKeys has everything sealed with the key that the main file names now,
// and waits for the end. progress is called now and then.
func (c *Client) RotateKeys(ctx context.Context, progress func(KeysProgress)) (KeysRotated, error) {
	var rotated *KeysRotated
	err := c.ask(ctx, http.MethodPost, "/v1/keys/rotate", nil, func(body io.Reader) error {
		lines := json.NewDecoder(body)
		for rotated == nil {
			var line rotationLine
			if err := lines.Decode(&line); err != nil {
				return err
			}
			switch {
			case line.Problem != "":
				return problem{line.Problem}
			case line.Progress != nil:
				progress(*line.Progress)
			}
			rotated = line.Rotated
		}
		return nil
	})
	if err != nil {
		return KeysRotated{}, err
	}
	return *rotated, nil
}

func (c *Client) call(ctx context.Context, method, path string, query url.Values, into any) error {
	return c.ask(ctx, method, path, query, func(body io.Reader) error { return json.NewDecoder(body).Decode(into) })
}

func (c *Client) ask(ctx context.Context, method, path string, query url.Values, read func(io.Reader) error) error {
	return c.put(ctx, question{method: method, path: path, query: query}, read)
}

// question is what is asked of the running gateway.
type question struct {
	method, path string
	query        url.Values
	body         io.Reader // may be nil
}

// put puts a question and reads the answer.
func (c *Client) put(ctx context.Context, q question, read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, q.method, "http://localhost"+q.path+"?"+q.query.Encode(), q.body)
	if err != nil {
		return err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.why(err)
	}
	defer func() { _ = response.Body.Close() }() // read to the end or given up
	body := io.LimitReader(response.Body, answerBytesMax)
	if response.StatusCode == http.StatusOK {
		err := read(body)
		if errors.As(err, new(problem)) {
			return err
		}
		if err != nil {
			return fmt.Errorf("command socket %s: read the answer: %w", c.path, err)
		}
		return nil
	}
	var p problem
	if json.NewDecoder(body).Decode(&p) == nil && p.Problem != "" {
		return p
	}
	return fmt.Errorf("command socket %s: answered %s", c.path, response.Status)
}

// why turns a connection's error into what the operator can do about it.
func (c *Client) why(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w (its socket would be %s); another state folder goes after --state-dir", ErrNotRunning, c.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("command socket %s: it admits the user that gatehouse runs as, and root: %w", c.path, fs.ErrPermission)
	}
	return fmt.Errorf("command socket %s: %w", c.path, err)
}
