package conf

import (
	"fmt"
	"strconv"
	"strings"
)

// Messages of the library that are told apart from the others.
const (
	expectedKey        = "did not find expected key"
	expectedDash       = "did not find expected '-' indicator"
	expectedComma      = "did not find expected ',' or ']'"
	expectedCommaInMap = "did not find expected ',' or '}'"
	expectedColon      = "could not find expected ':'"
	expectedContent    = "did not find expected node content"
	expectedDocument   = "did not find expected <document start>"
)

const (
	hintIndentation = "check the indentation and the quotes of this line"
	hintFlow        = `look for what is missing: a bracket, a comma, or the space behind a ":"`
	hintQuotes      = "put the text in quotes"
	hintColon       = `write a space behind the ":"`
)

// reword says in the words of this program what the library complains of, and
// what to do; culprit is the character where it gave up, or 0 if that is not
// known.
func reword(message string, culprit rune) (said, hint string) {
	if culprit == '\t' || strings.Contains(message, "found a tab character") {
		return "a tab indents this line; expected spaces", ""
	}
	if name, ok := unknownAnchor(message); ok {
		return fmt.Sprintf("the alias %q has no anchor; expected %q earlier in the file", "*"+name, "&"+name),
			"put text that begins with * in quotes"
	}
	if strings.HasPrefix(message, "exceeded max depth") {
		return fmt.Sprintf("nested deeper than %d levels; expected fewer", maxDepth), ""
	}
	switch message {
	case expectedKey:
		return "this does not go on with the map above; expected a key", hintIndentation
	case expectedDash:
		return `this does not go on with the list above; expected "- "`, hintIndentation
	case expectedComma:
		return `this list is not closed or lacks a comma; expected "," or "]"`, hintFlow
	case expectedCommaInMap:
		return `this map is not closed or lacks a comma; expected "," or "}"`, hintFlow
	case expectedContent:
		return `a value is missing before a ",", a bracket or the end; expected one`, ""
	case expectedDocument:
		return "this comes after the end of the document; expected one document in a file", ""
	case "mapping values are not allowed in this context":
		return `this ":" begins a value where none can stand; expected one key on a line`,
			`check the indentation, the space behind the ":" of the line above, and put text with ": " in quotes`
	case "block sequence entries are not allowed in this context":
		return `this "-" begins a list where none can stand; expected it on a line of its own`, ""
	case expectedColon:
		return `this line has no ": "; expected a key and its value`,
			`check the indentation, the quotes, and the space behind ":" or "-"`
	case "found unexpected end of stream", "found unexpected document indicator":
		return "this quote is not closed; expected its end", ""
	case "found unknown escape character":
		return `unknown escape in double quotes; expected one like \n or \\`, "use single quotes to write a backslash"
	case "did not find expected alphabetic or numeric character":
		return quoteCulprit(culprit) + " begins an alias or an anchor, which needs a name; expected text",
			"put text that begins with * or & in quotes"
	case "found character that cannot start any token":
		return quoteCulprit(culprit) + " cannot begin a value; expected text", hintQuotes
	case "found incompatible YAML document", "found unknown directive name":
		return "a directive stands here; expected none", "remove the line that begins with %"
	}
	return fmt.Sprintf("not YAML: %s", message), ""
}

func quoteCulprit(culprit rune) string {
	if culprit == 0 {
		return "a character of this line"
	}
	return strconv.Quote(string(culprit))
}

// unknownAnchor returns the name in the library's complaint about an alias.
func unknownAnchor(message string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(message, "unknown anchor '")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "' referenced")
}
