package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"gatehouse/tenancy"
)

func TestEveryReasonHasAPage(t *testing.T) {
	for _, r := range tenancy.AllReasons() {
		status := r.Status()
		if status == 0 || r == tenancy.ClientGone {
			continue
		}
		if got, _ := pageOf(status); got != status {
			t.Errorf("%s: no page for %d", r, status)
		}
	}
}

func TestPagesSayNothing(t *testing.T) {
	for status, p := range pages {
		text := strings.ToLower(string(p.before) + string(p.after))
		for _, r := range tenancy.AllReasons() {
			if strings.Contains(r.String(), "_") && strings.Contains(text, r.String()) {
				t.Errorf("the page of %d names the reason %s", status, r)
			}
		}
		for _, word := range []string{"gatehouse", "proxy", "backend", "tenant", "go"} {
			for field := range strings.FieldsFuncSeq(text, func(c rune) bool { return c < 'a' || c > 'z' }) {
				if field == word && !(status == 502 || status == 504) {
					t.Errorf("the page of %d says %q", status, word)
				}
			}
		}
	}
}

func TestAppendPage(t *testing.T) {
	for _, c := range []struct {
		page  answerPage
		field string
		want  string
	}{
		{answerPage{status: 308, location: []byte("https://a.example/x")}, "Location", "https://a.example/x"},
		{answerPage{status: 404}, "Location", ""},
		{answerPage{status: 405, close: true}, "Allow", allowedMethods},
		{answerPage{status: 400, close: true}, "Connection", "close"},
		{answerPage{status: 404, head: true}, "Cache-Control", "no-store"},
	} {
		c.page.ref = []byte("abcdefghijkmnpqr")
		c.page.unix = 1_000_000_000
		text := appendPage(nil, &c.page)
		method := "GET"
		if c.page.head {
			method = "HEAD"
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), &http.Request{Method: method})
		if err != nil {
			t.Fatalf("%d: %v", c.page.status, err)
		}
		body, _ := io.ReadAll(resp.Body)
		got := resp.Header.Get(c.field)
		if c.field == "Connection" && resp.Close {
			got = "close"
		}
		if resp.StatusCode != c.page.status || got != c.want {
			t.Errorf("%d: %s is %q, want %q", resp.StatusCode, c.field, got, c.want)
		}
		if got := resp.Header.Get("Date"); got != "Sun, 09 Sep 2001 01:46:40 GMT" {
			t.Errorf("Date is %q", got)
		}
		if has := bytes.Contains(body, c.page.ref); has == c.page.head {
			t.Errorf("%d: the body is %q", c.page.status, body)
		}
		if resp.ContentLength != int64(len(body)) && !c.page.head {
			t.Errorf("%d: Content-Length %d, body of %d", c.page.status, resp.ContentLength, len(body))
		}
	}
}
