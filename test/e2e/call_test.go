package e2e

import (
	"io"
	"net/http"
	"testing"
)

// TestCallsWithTrailers: a conversation as gRPC has it, over HTTP/2: each message is answered before the next one is
// sent, and what either side says at its end, the other one hears.
func TestCallsWithTrailers(t *testing.T) {
	t.Parallel()
	x := newTransfers(t)
	client := x.client(t, clientOfAcme, "h2")
	body, say := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, x.url("acme.example", "/call"), body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("Te", "trailers")
	request.Trailer = http.Header{"Checksum": {"c0ffee"}}
	answers := make(chan *http.Response, 1)
	go func() {
		answer, err := client.Do(request)
		if err != nil {
			t.Error(err)
		}
		answers <- answer
	}()
	if _, err := io.WriteString(say, "one\n"); err != nil {
		t.Fatal(err)
	}
	answer := <-answers
	if answer == nil {
		t.FailNow()
	}
	defer answer.Body.Close()
	hear := func(want string) {
		t.Helper()
		got := make([]byte, len(want))
		if n, err := io.ReadFull(answer.Body, got); err != nil || string(got) != want {
			t.Fatalf("heard %q, %v, want %q", got[:n], err, want)
		}
	}
	hear("echo one\n")
	for _, message := range []string{"two\n", "three\n"} {
		if _, err := io.WriteString(say, message); err != nil {
			t.Fatal(err)
		}
		hear("echo " + message)
	}
	_ = say.Close()
	if rest, err := io.ReadAll(answer.Body); err != nil || len(rest) > 0 {
		t.Errorf("behind the last message: %q, %v", rest, err)
	}
	if answer.ProtoMajor != 2 || answer.Header.Get("Content-Type") != "application/grpc" || answer.Header.Get("Saw-Te") != "trailers" {
		t.Errorf("%s %v, want HTTP/2.0, application/grpc, and a backend that was told of trailers", answer.Proto, answer.Header)
	}
	if status, message := answer.Trailer.Get("Grpc-Status"), answer.Trailer.Get("Grpc-Message"); status != "0" || message != "heard c0ffee" {
		t.Errorf("the call ended with %q, %q, want 0, heard c0ffee", status, message)
	}
}
