package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// progressEvery is how often a rotation that takes long says how far it is.
const progressEvery = time.Second

// KeyRing is what operators can see and do about the keys that seal the state.
type KeyRing struct {
	// Status counts which key seals how many blobs; it reads all of them.
	Status func(ctx context.Context) (KeysStatus, error)
	// Rotate seals everything with the key that the main file names now. It goes
	// on when the caller leaves.
	Rotate func(ctx context.Context, actor string) (KeysRotated, error)
	// Progress is how far a rotation is, nil while none is under way.
	Progress func() *KeysProgress
}

// KeysStatus is what `gatehouse keys` shows.
type KeysStatus struct {
	Protection string        `json:"protection"` // "sealed" or "not protected"
	Keys       []KeyStatus   `json:"keys"`
	Blobs      int           `json:"blobs"`
	Damaged    int           `json:"damaged"` // blobs that name no key
	Rotation   *KeysProgress `json:"rotation,omitempty"`
}

// KeyStatus is one key that blobs are sealed with, or that could open some.
type KeyStatus struct {
	ID     string `json:"id"`
	Role   string `json:"role"`             // "seals", "opens" or "missing": blobs name it and nobody has it
	Source string `json:"source,omitempty"` // where it is kept; never its name
	Blobs  int    `json:"blobs"`
}

// KeysProgress is how far a rotation is.
type KeysProgress struct {
	Done  int `json:"done"`
	Blobs int `json:"blobs"`
}

// KeysRotated is what a rotation did.
type KeysRotated struct {
	ID     string   `json:"id"` // of the key that everything is under now
	Source string   `json:"source"`
	Blobs  int      `json:"blobs"`
	Sealed int      `json:"sealed"` // anew; the others were under that key already
	Shut   int      `json:"shut"`   // do not open with any key, and stay as they are
	Names  []string `json:"names"`  // of the first of those
	Unused []string `json:"unused"` // sources that `seal` names and that nothing needs any more
}

// rotationLine is one line of the answer to a rotation: progress, or the end.
type rotationLine struct {
	Progress *KeysProgress `json:"progress,omitempty"`
	Rotated  *KeysRotated  `json:"rotated,omitempty"`
	Problem  string        `json:"problem,omitempty"`
}

func (s *Server) keys(w http.ResponseWriter, r *http.Request) {
	status, err := s.house.Keys.Status(r.Context())
	if err != nil {
		answerProblem(w, http.StatusInternalServerError, err)
		return
	}
	answerJSON(w, http.StatusOK, status)
}

// rotateKeys answers with lines of JSON: how far it is, and at last what was
// done.
func (s *Server) rotateKeys(w http.ResponseWriter, r *http.Request) {
	ended := make(chan rotationLine, 1)
	go func() { // ends with the rotation, or with the caller
		done, err := s.house.Keys.Rotate(r.Context(), r.RemoteAddr)
		if err != nil {
			ended <- rotationLine{Problem: err.Error()}
			return
		}
		ended <- rotationLine{Rotated: &done}
	}()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case line := <-ended:
			_ = out.Encode(line) // the caller is gone: the log has it
			return
		case <-tick.C:
			if now := s.house.Keys.Progress(); now != nil {
				_ = out.Encode(rotationLine{Progress: now}) // as above
				_ = flush.Flush()
			}
		}
	}
}
