package metrics

// MirrorResult is what became of the copy of a request.
type MirrorResult uint8

// The results.
const (
	MirrorAnswered MirrorResult = iota // whatever the answer
	MirrorFailed                       // not reached, cut, malformed or late
	MirrorDropped                      // not sent: too many were under way, it was too long, or no backend took any
)

// MirrorResults are the values of the label result, by MirrorResult.
var MirrorResults = [...]string{"answered", "failed", "dropped"}

// Mirrored counts the copy of a request.
func (t *Tenant) Mirrored(result MirrorResult) {
	if t != nil && int(result) < len(t.mirrored) {
		t.mirrored[result].Add(1)
	}
}
