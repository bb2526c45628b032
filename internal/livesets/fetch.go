package livesets

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"

	"gatehouse/ipallow"
)

const (
	// answerHeadBytesMax bounds the head of an answer.
	answerHeadBytesMax = 64 << 10
	// etagBytesMax is longer than any that servers make.
	etagBytesMax = 256
	dialTimeMax  = 10 * time.Second
)

// fetch gets the text behind a URL, unless the server says that it is what it
// was.
func (a *asker) fetch(ctx context.Context, s *ipallow.Source, etag string) (answer, error) {
	transport, err := a.transport(s)
	if err != nil {
		return answer{}, err
	}
	defer transport.CloseIdleConnections()
	client := http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Target, nil)
	if err != nil {
		return answer{}, errors.New("it is no URL that can be fetched")
	}
	request.Header.Set("Accept", "text/plain")
	request.Header.Set("User-Agent", "gatehouse")
	if etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, bounded(withoutURL(err))
	}
	defer response.Body.Close() // it was only read
	return read(response, s, etag)
}

// withoutURL leaves out what the caller says, and a query with it.
func withoutURL(err error) error {
	if told, ok := errors.AsType[*url.Error](err); ok {
		return told.Err
	}
	return err
}

func read(response *http.Response, s *ipallow.Source, etag string) (answer, error) {
	switch {
	case response.StatusCode == http.StatusNotModified && etag != "":
		return answer{same: true, mark: etag}, nil
	case response.StatusCode >= 300 && response.StatusCode < 400:
		return answer{}, fmt.Errorf("it answered %d and leads elsewhere; redirects are not followed: write the URL that it leads to", response.StatusCode)
	case response.StatusCode != http.StatusOK:
		return answer{}, fmt.Errorf("it answered %d", response.StatusCode)
	}
	text, err := readBounded(response.Body)
	if err != nil {
		return answer{}, bounded(err)
	}
	prefixes, err := parseList(text, s.Max)
	if etag = response.Header.Get("ETag"); len(etag) > etagBytesMax {
		etag = ""
	}
	return answer{prefixes: prefixes, mark: etag}, err
}

// transport is for one fetch: a connection that is kept would outlive the name
// that it was opened for.
func (a *asker) transport(s *ipallow.Source) (*http.Transport, error) {
	roots, err := a.roots(s)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	dialer := &net.Dialer{Timeout: dialTimeMax, Control: func(_, address string, _ syscall.RawConn) error {
		return a.judge(address, s.Confined)
	}}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: config, TLSHandshakeTimeout: dialTimeMax,
		DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: answerHeadBytesMax,
	}, nil
}

// roots reads the authorities that a server is verified against; nil for the
// system's.
func (a *asker) roots(s *ipallow.Source) (*x509.CertPool, error) {
	if s.CA == "" {
		return nil, nil
	}
	file, err := a.open(s.CA, s.Confined)
	if err != nil {
		return nil, fmt.Errorf("ca %s: %w", s.CA, causeOf(err))
	}
	defer file.Close() // it was only read
	text, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("ca %s: %w", s.CA, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca %s has no certificate", s.CA)
	}
	return roots, nil
}

// judge judges an address that a URL led to, right before it is dialled.
func (a *asker) judge(address string, confined bool) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%q is no address to fetch from", address)
	}
	if confined && !isPublic(to.Addr().Unmap()) {
		return fmt.Errorf("%s is not public; what a tenant file names is fetched from public addresses", to.Addr())
	}
	return a.mayDial(to)
}
