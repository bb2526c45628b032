package acme

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapTo returns a zap logger that leads to log, at debug: what certmagic says
// to itself is told to operators by our own lines.
func zapTo(log *slog.Logger) *zap.Logger {
	return zap.New(&bridge{log: log.With("part", "certmagic")})
}

// bridge is a zapcore.Core over slog. Only plain fields pass: what would be
// printed by reflection may hold a key.
type bridge struct {
	log    *slog.Logger
	fields []slog.Attr
}

// Enabled implements zapcore.LevelEnabler.
func (b *bridge) Enabled(zapcore.Level) bool {
	return b.log.Enabled(context.Background(), slog.LevelDebug)
}

// With implements zapcore.Core.
func (b *bridge) With(fields []zapcore.Field) zapcore.Core {
	return &bridge{b.log, append(b.fields[:len(b.fields):len(b.fields)], plainFields(fields)...)}
}

// Check implements zapcore.Core.
func (b *bridge) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !b.Enabled(entry.Level) {
		return checked
	}
	return checked.AddCore(entry, b)
}

// Write implements zapcore.Core.
func (b *bridge) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	attrs := append(b.fields[:len(b.fields):len(b.fields)], plainFields(fields)...)
	b.log.LogAttrs(context.Background(), slog.LevelDebug, clean(entry.Message), attrs...)
	return nil
}

// Sync implements zapcore.Core.
func (b *bridge) Sync() error { return nil }

// plainFields keeps what is a text, a number or an error.
func plainFields(fields []zapcore.Field) (out []slog.Attr) {
	for _, f := range fields {
		switch f.Type {
		case zapcore.StringType:
			out = append(out, slog.String(f.Key, clean(f.String)))
		case zapcore.Int64Type, zapcore.Int32Type:
			out = append(out, slog.Int64(f.Key, f.Integer))
		case zapcore.ErrorType:
			if err, ok := f.Interface.(error); ok {
				out = append(out, slog.String(f.Key, clean(err.Error())))
			}
		}
	}
	return out
}
