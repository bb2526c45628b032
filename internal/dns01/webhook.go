package dns01

import (
	"context"
	"strings"
)

// webhook asks a server of the operator's to change records.
type webhook struct{ caller jsonCaller }

// webhookCall is what it is told. Both calls may come more than once.
type webhookCall struct {
	Action string `json:"action"` // "present" or "cleanup"
	Name   string `json:"name"`   // with its last dot
	Zone   string `json:"zone"`   // with its last dot
	Value  string `json:"value"`
	TTL    int    `json:"ttl"` // seconds
}

func (w *webhook) add(ctx context.Context, r record) error { return w.call(ctx, "present", r) }

func (w *webhook) remove(ctx context.Context, r record) error { return w.call(ctx, "cleanup", r) }

func (w *webhook) call(ctx context.Context, action string, r record) error {
	_, err := w.caller.post(ctx, webhookCall{action, r.name, r.zone, r.value, int(recordTTL.Seconds())})
	return err
}

// bearer is what Authorization carries (RFC 6750).
func bearer(token string) string { return "Bearer " + strings.TrimSpace(token) }
