package compress

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"gatehouse/internal/http1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// head makes fields of lines like "Vary: Cookie".
func head(lines ...string) (fields []http1.Field) {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		fields = append(fields, http1.Field{Name: []byte(name), Value: []byte(value)})
	}
	return fields
}

// written makes lines of fields.
func written(fields []http1.Field) (lines []string) {
	for _, f := range fields {
		lines = append(lines, string(f.Name)+": "+string(f.Value))
	}
	return lines
}

// all compresses the built-in types with every coding.
func all() *Rules {
	return &Rules{codings: []Coding{Zstd, Brotli, Gzip}, types: builtinTypes, min: minBuiltin}
}
