package discoverytest

import (
	"errors"
	"fmt"
	"strings"
)

// CheckMask checks a selection of fields, such as sheets(properties.title,data) or sheets/properties/title, against a
// schema of the document.
func (d *Document) CheckMask(schemaName, mask string) error {
	return d.checkFields(&schema{Ref: schemaName}, mask)
}

func (d *Document) checkFields(s *schema, mask string) error {
	rest, err := d.selection(s, mask)
	if err == nil && rest != "" {
		err = fmt.Errorf("%q is left over", rest)
	}
	return err
}

// selection reads names with commas between them, up to the end or to the bracket that closes it.
func (d *Document) selection(s *schema, mask string) (rest string, err error) {
	for {
		if mask, err = d.selected(s, mask); err != nil || !strings.HasPrefix(mask, ",") {
			return mask, err
		}
		mask = mask[1:]
	}
}

// selected reads one path, with what is chosen below it.
func (d *Document) selected(s *schema, mask string) (rest string, err error) {
	end := strings.IndexAny(mask, ",()./")
	if end < 0 {
		end = len(mask)
	}
	name, rest := mask[:end], mask[end:]
	if name == "" {
		return "", errors.New("a name is empty")
	}
	below, err := d.field(s, name)
	if err != nil || rest == "" {
		return rest, err
	}
	switch rest[0] {
	case '.', '/':
		return d.selected(below, rest[1:])
	case '(':
		rest, err = d.selection(below, rest[1:])
		if err != nil {
			return "", err
		}
		if !strings.HasPrefix(rest, ")") {
			return "", errors.New("a bracket is not closed")
		}
		return rest[1:], nil
	default:
		return rest, nil
	}
}

// field is what a name selects of a type; of an array it is a field of its items.
func (d *Document) field(s *schema, name string) (*schema, error) {
	for s.Ref != "" || s.Type == "array" {
		if s.Type == "array" {
			s = s.Items
			continue
		}
		referred := d.schemas[s.Ref]
		if referred == nil {
			return nil, fmt.Errorf("the document has no schema %s", s.Ref)
		}
		s = referred
	}
	if name == "*" {
		return &schema{Type: "any", AdditionalProperties: &schema{Type: "any"}}, nil
	}
	if field := s.Properties[name]; field != nil {
		return field, nil
	}
	if s.AdditionalProperties != nil {
		return s.AdditionalProperties, nil
	}
	return nil, fmt.Errorf("there is no field %q", name)
}
