package door

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/retentionops/retentionops/functions"
)

// Decode reads an input of the tool from JSON, strictly, and checks it. Nothing is the same as {}. Every key must be
// one of the tool's, spelled exactly and there once; nothing is null or an empty text, as a variable that was never
// filled would otherwise stand for "today" or "any"; nothing follows the object. The errors are invalid_argument and
// name the place and the valid words.
func Decode[In functions.Input](tool *functions.Tool, data []byte) (In, error) {
	var in In
	if len(bytes.TrimSpace(data)) == 0 {
		data = []byte("{}")
	}
	if err := checkSyntax(data); err != nil {
		return in, err
	}
	reader := &strictReader{tool: tool, tokens: json.NewDecoder(bytes.NewReader(data))}
	reader.tokens.UseNumber()
	if err := reader.value("", tool.InputSchema()); err != nil {
		return in, err
	}
	if err := reader.fault(); err != nil {
		return in, err
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return in, functions.Errorf(functions.InvalidArgument, "the input of %s cannot be read", tool.Name).WithCause(err)
	}
	return in, in.Check()
}

// checkSyntax makes sure that the text is one JSON value in sound UTF-8, so that what follows need not.
func checkSyntax(data []byte) error {
	if !utf8.Valid(data) {
		return functions.Errorf(functions.InvalidArgument, "the input is not UTF-8")
	}
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		return functions.Errorf(functions.InvalidArgument, "the input begins with a byte order mark").WithHint("save it as UTF-8 without BOM")
	}
	var whole json.RawMessage
	err := json.Unmarshal(data, &whole)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		before := data[:syntax.Offset-1] // the offset counts the byte at fault
		line := bytes.Count(before, []byte("\n")) + 1
		column := utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1
		return functions.Errorf(functions.InvalidArgument, "the input is not one JSON object: line %d, column %d: %v", line, column, err)
	default:
		return functions.Errorf(functions.InvalidArgument, "the input is not one JSON object")
	}
}

// maxFaults bounds what one answer tells; the first few are enough to mend an input.
const maxFaults = 5

// strictReader goes through a JSON text beside the schema of what it should be and collects what is wrong.
type strictReader struct {
	tool   *functions.Tool
	tokens *json.Decoder
	faults []string
	hints  []string
}

func (s *strictReader) wrong(hint, format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
	if hint != "" && len(s.faults) <= maxFaults && !slices.Contains(s.hints, hint) {
		s.hints = append(s.hints, hint)
	}
}

// fault is the error over everything that is wrong, nil when nothing is.
func (s *strictReader) fault() error {
	if len(s.faults) == 0 {
		return nil
	}
	shown := s.faults[:min(len(s.faults), maxFaults)]
	text := strings.Join(shown, "; ")
	if more := len(s.faults) - len(shown); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return functions.Errorf(functions.InvalidArgument, "%s", text).WithHint(strings.Join(s.hints, "; "))
}

// value reads the next value, which stands at path.
func (s *strictReader) value(path string, schema *jsonschema.Schema) error {
	token, err := s.tokens.Token()
	if err != nil {
		return functions.Errorf(functions.InvalidArgument, "the input cannot be read").WithCause(err)
	}
	where := path
	if where == "" {
		where = "the input of " + s.tool.Name
	}
	if got := kindOf(token); got != schema.Type && (got != "number" || schema.Type != "integer") {
		hint := wanted(path, schema)
		if got == "null" && path != "" {
			hint = "leave the key out instead"
		}
		s.wrong(hint, "%s must be %s, not %s", where, article(schema.Type), article(got))
		return s.skip(token)
	}
	switch token := token.(type) {
	case json.Delim:
		return s.object(path, schema)
	case string:
		if token == "" {
			s.wrong("leave the key out instead", "%s is empty", where)
		} else if strings.ContainsRune(token, utf8.RuneError) {
			s.wrong("", "%s holds a character that was lost on the way (U+FFFD)", where)
		}
	case json.Number:
		if _, err := strconv.ParseInt(token.String(), 10, 64); err != nil && schema.Type == "integer" {
			s.wrong(wanted(path, schema), "%s must be a whole number", where)
		}
	}
	return nil
}

// object reads the members of an object up to its end.
func (s *strictReader) object(path string, schema *jsonschema.Schema) error {
	seen := map[string]bool{}
	for s.tokens.More() {
		token, err := s.tokens.Token()
		if err != nil {
			return functions.Errorf(functions.InvalidArgument, "the input cannot be read").WithCause(err)
		}
		name, _ := token.(string)
		property, known := schema.Properties[name]
		if !known {
			s.unknown(path, name, schema)
			if err := s.skipNext(); err != nil {
				return err
			}
			continue
		}
		at := joined(path, name)
		if seen[name] {
			s.wrong("", "%s is there twice", at)
		}
		seen[name] = true
		if err := s.value(at, property); err != nil {
			return err
		}
	}
	for _, name := range schema.Required {
		if !seen[name] {
			at := joined(path, name)
			s.wrong(wanted(at, schema.Properties[name]), "%s is missing", at)
		}
	}
	_, err := s.tokens.Token()
	return err
}

func (s *strictReader) unknown(path, name string, schema *jsonschema.Schema) {
	valid := slices.Sorted(maps.Keys(schema.Properties))
	if len(schema.PropertyOrder) == len(valid) {
		valid = schema.PropertyOrder
	}
	taker := path
	if taker == "" {
		taker = s.tool.Name
	}
	guess := ""
	if near := nearest(name, valid); near != "" {
		guess = fmt.Sprintf(" (did you mean %s?)", near)
	}
	s.wrong(taker+" takes "+strings.Join(valid, ", "), "unknown key %s%s", quoted(joined(path, name)), guess)
}

// skip reads past the rest of a value whose first token has been read.
func (s *strictReader) skip(token json.Token) error {
	for depth := 0; ; {
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
		var err error
		if token, err = s.tokens.Token(); err != nil {
			return functions.Errorf(functions.InvalidArgument, "the input cannot be read").WithCause(err)
		}
	}
}

func (s *strictReader) skipNext() error {
	token, err := s.tokens.Token()
	if err != nil {
		return functions.Errorf(functions.InvalidArgument, "the input cannot be read").WithCause(err)
	}
	return s.skip(token)
}

// kindOf is the JSON Schema type of a token.
func kindOf(token json.Token) string {
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return "object"
		}
		return "array"
	case string:
		return "string"
	case json.Number:
		return "number"
	case bool:
		return "boolean"
	default:
		return "null"
	}
}

// article says a JSON type in words.
func article(kind string) string {
	switch kind {
	case "object":
		return "an object"
	case "array":
		return "a list"
	case "string":
		return "a text"
	case "integer":
		return "a whole number"
	case "number":
		return "a number"
	case "boolean":
		return "true or false"
	default:
		return kind
	}
}

// wanted tells what belongs at a place, from its schema.
func wanted(path string, schema *jsonschema.Schema) string {
	switch {
	case path == "":
		return "write an object such as {}"
	case schema.Enum != nil:
		words := make([]string, len(schema.Enum))
		for i, word := range schema.Enum {
			words[i] = fmt.Sprint(word)
		}
		return path + " is one of " + strings.Join(words, ", ")
	case schema.Description != "":
		return path + ": " + schema.Description
	default:
		return ""
	}
}

func joined(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// longestName bounds how much of a caller's key is shown and compared.
const longestName = 40

func quoted(name string) string {
	if utf8.RuneCountInString(name) > longestName {
		name = string([]rune(name)[:longestName]) + "…"
	}
	return strconv.Quote(name)
}

// nearest is the valid name that a wrong one was most likely meant to be; no guess beats a wrong one.
func nearest(name string, valid []string) string {
	if len(name) > longestName {
		return ""
	}
	best, distance := "", 3
	for _, candidate := range valid {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), candidate); d < distance && d*2 < len(candidate) {
			best, distance = candidate, d
		}
	}
	return best
}
