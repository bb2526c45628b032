package conf

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// parse returns the root node of the one document in text, or nil after it
// recorded why there is none.
func parse(file string, text []byte, r *Report) *yaml.Node {
	start := Pos{file, 1, 1}
	if len(text) > MaxFileBytes {
		r.Fault(start, "split it with include", "the file has %d bytes; at most %d are read", len(text), MaxFileBytes)
		return nil
	}
	if !checkCharacters(file, text, r) {
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	switch err := decodeNode(dec, &doc); {
	case errors.Is(err, io.EOF):
		r.Fault(start, "", "the file is empty; expected a map of keys")
		return nil
	case err != nil:
		syntaxFault(file, text, err, r)
		return nil
	}
	switch err := decodeNode(dec, &second); {
	case err == nil:
		r.Fault(Pos{file, second.Line, second.Column}, "", "a second document begins here; expected one document in a file")
	case !errors.Is(err, io.EOF):
		syntaxFault(file, text, err, r)
	}
	root := doc.Content[0]
	if isNull(root) && root.Value == "" {
		r.Fault(start, "", "the file is empty; expected a map of keys")
		return nil
	}
	return root
}

// decodeNode reads the next document. The library panics on some malformed
// input; that is a fault of the file, too.
func decodeNode(dec *yaml.Decoder, into *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: %v", p)
		}
	}()
	return dec.Decode(into)
}
