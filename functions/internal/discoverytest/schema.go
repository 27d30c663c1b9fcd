package discoverytest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// schema is a type of the document, or a parameter of a method.
type schema struct {
	Ref                  string `json:"$ref"`
	Type, Format         string
	Enum                 []string
	Properties           map[string]*schema
	AdditionalProperties *schema
	Items                *schema
	// of parameters
	Location           string
	Pattern            string
	Required, Repeated bool
}

// decode reads one JSON value, numbers as they are written.
func decode(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return value, nil
}

// check checks a value against its type; path tells where it stands.
func (d *Document) check(s *schema, value any, path string) error {
	for s.Ref != "" {
		referred := d.schemas[s.Ref]
		if referred == nil {
			return fmt.Errorf("%s: the document has no schema %s", path, s.Ref)
		}
		s = referred
	}
	if value == nil {
		return nil // null stands for a field that is not set
	}
	switch s.Type {
	case "object":
		return d.checkObject(s, value, path)
	case "array":
		items, ok := value.([]any)
		if !ok {
			return fmt.Errorf("%s is no array", path)
		}
		for i, item := range items {
			if err := d.check(s.Items, item, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	case "any":
		return nil
	default:
		if err := s.checkScalar(value); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	}
}

func (d *Document) checkObject(s *schema, value any, path string) error {
	object, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is no object", path)
	}
	for name, below := range object {
		field := s.Properties[name]
		if field == nil {
			field = s.AdditionalProperties
		}
		if field == nil {
			return fmt.Errorf("%s has no field %q", path, name)
		}
		if err := d.check(field, below, path+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// checkScalar checks a JSON value that is neither object nor array. 64-bit integers are strings in JSON; a number does too.
func (s *schema) checkScalar(value any) error {
	switch v := value.(type) {
	case bool:
		if s.Type == "boolean" {
			return nil
		}
	case json.Number:
		if s.Type == "integer" || s.Type == "number" || s.Format == "int64" || s.Format == "uint64" {
			return s.checkText(v.String())
		}
	case string:
		if s.Type == "string" {
			return s.checkText(v)
		}
	}
	return fmt.Errorf("%v (%T) is no %s", value, value, s.Type)
}

var fieldMask = regexp.MustCompile(`^(\*|[a-zA-Z][\w.]*(,[a-zA-Z][\w.]*)*)$`)

// checkText checks the text of a scalar, as it stands in a query.
func (s *schema) checkText(text string) (err error) {
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
		return fmt.Errorf("%q is none of %q", text, s.Enum)
	}
	if s.Pattern != "" {
		if matched, err := regexp.MatchString(s.Pattern, text); err != nil || !matched {
			return fmt.Errorf("%q does not match %s", text, s.Pattern)
		}
	}
	switch s.Type {
	case "boolean":
		if text != "true" && text != "false" {
			err = fmt.Errorf("%q is no boolean", text)
		}
		return err
	case "number":
		_, err = strconv.ParseFloat(text, 64)
		return err
	}
	switch s.Format {
	case "int32":
		_, err = strconv.ParseInt(text, 10, 32)
	case "uint32":
		_, err = strconv.ParseUint(text, 10, 32)
	case "int64":
		_, err = strconv.ParseInt(text, 10, 64)
	case "uint64":
		_, err = strconv.ParseUint(text, 10, 64)
	case "byte":
		_, err = base64.StdEncoding.DecodeString(text)
	case "date":
		_, err = time.Parse(time.DateOnly, text)
	case "date-time", "google-datetime":
		_, err = time.Parse(time.RFC3339Nano, text)
	case "google-fieldmask":
		if !fieldMask.MatchString(text) {
			err = fmt.Errorf("%q is no field mask", text)
		}
	}
	return err
}

// CheckValue checks a JSON text against a schema of the document, such as SheetProperties.
func (d *Document) CheckValue(schemaName string, data []byte) error {
	value, err := decode(data)
	if err != nil {
		return fmt.Errorf("%s: %w", schemaName, err)
	}
	return d.check(&schema{Ref: schemaName}, value, schemaName)
}
