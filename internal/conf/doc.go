// Package conf is strict YAML that remembers where every value stood.
//
// A room declares its part of the configuration as a struct; one declaration
// serves the decoder, the JSON Schema and the reference page, so they cannot
// drift apart:
//
//	type Timeouts struct {
//		Connect conf.At[conf.Duration] `conf:"connect" default:"3s" doc:"time to reach a backend" example:"500ms"`
//	}
//
// # Tags
//
//   - conf:"name[,required][,short][,one]" names the key. The value of a short
//     field may be written in place of the whole map: a backend as its URL. Of
//     the fields marked one, exactly one is written.
//   - doc, default, example are for the reader. The decoder applies no
//     default: a value that is not written stays zero, and says so by Set.
//   - enum:"a|b|c" lists the only words the value may be.
//   - also:"interval,period" lists what other programs call the key, in lower
//     case and without hyphens and underscores; on and off are what stands here
//     for the words of a switch. Hints alone are made of them.
//
// Embedded structs are inlined. A field without a conf tag is left alone,
// except one of type [Pos], which receives the position of the map it is in.
// An optional struct is a pointer.
//
// # Field types
//
// string, bool, int (only where no unit belongs), structs and pointers to
// structs, [At], [List], [OneOrMany], [Map], and whatever implements [Scalar].
// A [Later] field names keys that a later version will have, an [Elsewhere]
// field those that are looked for here and stand in another place. A declaration
// outside these rules is a mistake of the program and panics when it is first
// used.
//
// # Reading
//
// Every fault of a file is found in one pass, each with its position. Unknown
// and duplicate keys, several documents, merge keys, explicit tags, and null
// where a value belongs are faults. Keys that begin with x- are skipped
// wherever keys are declared; the keys of a [Map] are the operator's own
// names, so nothing is skipped there: x-frame-options is a header.
// Anchors are allowed; what their aliases expand to is bounded.
//
// No other package imports the YAML library.
package conf
