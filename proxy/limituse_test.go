package proxy

import (
	"net/http"
	"testing"
)

// How near a tenant and the nearest client are is told for every limit that is
// written, and for those of listeners.
func TestLimitUses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]string{"acme": `
hosts: [a.example]
access: {public: "a test"}
backends: ["{backend}"]
limits: {requests: 1/h, burst: 4, in_flight: 4, websockets: 2, client: {requests: 1/h, burst: 8, in_flight: 4}}
`})
	w.limitListener("{connections: 10, handshakes: 5/h}")
	began, proceed := make(chan struct{}), make(chan struct{})
	w.answerWith(func(http.ResponseWriter, *http.Request) {
		began <- struct{}{}
		<-proceed
	})
	answered := make(chan error, 1)
	client := w.client("direct", "127.0.0.1", false)
	go func() {
		response, err := client.Get("https://a.example/")
		if err == nil {
			response.Body.Close()
		}
		answered <- err
	}()
	<-began
	want := map[string]LimitUse{
		"requests":         {Used: 0.25, Now: "25% of what may come at once"},
		"in_flight":        {Used: 0.25, Now: "1, and 0 wait"},
		"websockets":       {Now: "0"},
		"client.requests":  {Used: 0.125, Now: "the only client has sent 12% of what may come at once"},
		"client.in_flight": {Used: 0.25, Now: "the only client has 1"},
		"connections":      {Used: 0.1, Now: "the only client has 1"},
		"handshakes":       {Used: 0.2, Now: "the only client has sent 20% of what may come at once"},
	}
	uses := w.server.Stats().Limits["acme"]
	for _, l := range w.table.Listeners() {
		if l.Address == w.addr("direct") {
			uses = append(uses, w.server.ListenerLimits(l)...)
		}
	}
	for _, got := range uses {
		is, known := want[got.Limit]
		if !known || got.Now != is.Now || got.Used < is.Used-0.01 || got.Used > is.Used || got.Level == "" || got.Text == "" {
			t.Errorf("%+v; want %v, %q", got, is.Used, is.Now)
		}
		delete(want, got.Limit)
	}
	if len(want) > 0 {
		t.Errorf("nothing is told of %v", want)
	}
	close(proceed)
	if err := <-answered; err != nil {
		t.Error(err)
	}
}
