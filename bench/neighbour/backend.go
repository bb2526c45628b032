package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

const (
	// workTime is what a request of B costs its application, which is of the
	// quick kind.
	workTime = 10 * time.Millisecond

	// slowTime is what A's application takes once it is in trouble.
	slowTime = 2 * time.Second

	// answerBytes is the length of a usual answer, largeBytes of A's large
	// bodies in both directions.
	answerBytes = 2 << 10
	largeBytes  = 64 << 20
)

// playBackend serves the application of a tenant until ctx ends.
func playBackend(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("backend: TENANT ADDRESS")
	}
	l, err := net.Listen("tcp", args[1])
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/app", answerAfter(workTime))
	mux.HandleFunc("/slow", answerAfter(slowTime))
	mux.HandleFunc("/large", answerLarge)
	mux.HandleFunc("/take", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: patience}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func answerAfter(d time.Duration) http.HandlerFunc {
	body := make([]byte, answerBytes)
	return func(w http.ResponseWriter, r *http.Request) {
		if wait(r.Context(), d) == nil {
			_, _ = w.Write(body)
		}
	}
}

func answerLarge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(largeBytes))
	piece := make([]byte, 256<<10)
	for n := 0; n < largeBytes; n += len(piece) {
		if _, err := w.Write(piece); err != nil {
			return
		}
	}
}
