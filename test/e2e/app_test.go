package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// An app is a backend that does what applications do with bodies: it takes files, refuses some of them early, tells
// events one by one, and converses while the request still comes.
type app struct {
	*httptest.Server
	file []byte
	seen chan string // events that the browser has got
}

func startApp(t *testing.T, file []byte) *app {
	t.Helper()
	a := &app{file: file, seen: make(chan string)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /form", a.form)
	mux.HandleFunc("POST /form", a.takeForm)
	mux.HandleFunc("/sum", sum)
	mux.HandleFunc("/refuse", refuse)
	mux.HandleFunc("/file", a.download)
	mux.HandleFunc("/lines", lines)
	mux.HandleFunc("/events", a.events)
	mux.HandleFunc("POST /seen", a.hear)
	mux.HandleFunc("/call", call)
	mux.HandleFunc("/ws", echoOnce)
	a.Server = httptest.NewServer(mux)
	t.Cleanup(a.Close)
	return a
}

// digest is how both sides say which bytes they mean.
func digest(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// account reads a body and says what it was.
func account(body io.Reader) string {
	h := sha256.New()
	n, err := io.Copy(h, body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("sum=%x bytes=%d", h.Sum(nil), n)
}

const formPage = `<!doctype html><title>form</title>
<form method="post" enctype="multipart/form-data"><input type="file" name="file"><button>send</button></form>`

func (a *app) form(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprint(w, formPage)
}

func (a *app) takeForm(w http.ResponseWriter, r *http.Request) {
	parts, err := r.MultipartReader()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	file, err := parts.NextPart()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text := account(file)
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, "<!doctype html><title>taken</title><p>%s", text)
}

// sum takes any body, and says how it was announced.
func sum(w http.ResponseWriter, r *http.Request) {
	text := account(r.Body)
	fmt.Fprintf(w, "%s length=%d expect=%q\n", text, r.ContentLength, r.Header.Get("Expect"))
}

// refusedAfter is how much of an upload the app reads before it has had enough.
const refusedAfter = 1 << 20

// refuse answers in the middle of an upload; where the client waits for a 100, before it.
func refuse(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, r.Body, refusedAfter)
	}
	http.Error(w, "too much for me", http.StatusRequestEntityTooLarge)
}

func (a *app) download(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "file.bin", time.Time{}, bytes.NewReader(a.file))
}

// lines is an answer of unknown length.
func lines(w http.ResponseWriter, _ *http.Request) {
	for n := range 3 {
		fmt.Fprintln(w, "line", n)
		_ = http.NewResponseController(w).Flush()
	}
}

// events says the next one when the browser has told that it has got the one before.
func (a *app) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for n := 1; n <= 3; n++ {
		fmt.Fprintf(w, "data: %d\n\n", n)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-a.seen:
		case <-r.Context().Done():
			return
		}
	}
	fmt.Fprint(w, "event: end\ndata: end\n\n")
}

func (a *app) hear(w http.ResponseWriter, r *http.Request) {
	select {
	case a.seen <- r.URL.Query().Get("n"):
		w.WriteHeader(http.StatusNoContent)
	case <-r.Context().Done():
	}
}

// call answers each line of a body that still comes, as a gRPC service does, and says at the end how it went and what
// the caller said at its end.
func call(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex()
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.Header().Set("Saw-Te", r.Header.Get("Te"))
	buf := make([]byte, 256)
	for {
		n, err := r.Body.Read(buf)
		if n > 0 {
			fmt.Fprintf(w, "echo %s", buf[:n])
			_ = control.Flush()
		}
		if err != nil {
			break
		}
	}
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", "0")
	w.Header().Set(http.TrailerPrefix+"Grpc-Message", "heard "+r.Trailer.Get("Checksum"))
}

// echoOnce answers one message of a WebSocket.
func echoOnce(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // Host has a port, Origin too
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(messageMax)
	kind, text, err := c.Read(r.Context())
	if err == nil && c.Write(r.Context(), kind, text) == nil {
		_ = c.Close(websocket.StatusNormalClosure, "")
	}
}
