package gateway

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// A start writes down which keys it opened the state with, and nothing of the
// keys themselves.
func TestKeyUseIsRecorded(t *testing.T) {
	c := newChest(t)
	c.writeKey(t, "old", 1)
	c.writeKey(t, "new", 2)
	var log bytes.Buffer
	k, err := openKeychain(t.Context(), c.mem, c.dir, c.named("new", "old"), slog.New(slog.NewTextHandler(&log, nil)))
	must(t, err)
	keys := *k.chain.Load()
	for i, seals := range []string{"seals=true", "seals=false"} {
		want := `msg="seal key in use" key=` + keys[i].id + ` from="file at f:1:1" ` + seals
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "0203040506") {
		t.Errorf("the log has a key:\n%s", log.String())
	}
}
