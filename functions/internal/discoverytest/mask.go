package discoverytest

import (
	"errors"
	"fmt"
	"strings"
)

// selection is a choice of fields, such as sheets(properties.title,data) or sheets/properties/title: by name what is
// chosen below it, nil for all.
type selection map[string]selection

func parseMask(mask string) (selection, error) {
	chosen := selection{}
	rest, err := chosen.read(mask)
	if err == nil && rest != "" {
		err = fmt.Errorf("%q is left over", rest)
	}
	return chosen, err
}

// read adds names with commas between them, up to the end or to the bracket that closes them.
func (s selection) read(mask string) (rest string, err error) {
	for {
		if mask, err = s.readPath(mask); err != nil || !strings.HasPrefix(mask, ",") {
			return mask, err
		}
		mask = mask[1:]
	}
}

// readPath adds one path, with what is chosen below it.
func (s selection) readPath(mask string) (rest string, err error) {
	end := strings.IndexAny(mask, ",()./")
	if end < 0 {
		end = len(mask)
	}
	name, rest := mask[:end], mask[end:]
	if name == "" {
		return "", errors.New("a name is empty")
	}
	if rest == "" || rest[0] == ',' || rest[0] == ')' {
		s[name] = nil
		return rest, nil
	}
	below, known := s[name]
	if !known {
		below = selection{}
	}
	if below == nil {
		return "", fmt.Errorf("%s is chosen whole and in part", name)
	}
	s[name] = below
	if rest[0] != '(' {
		return below.readPath(rest[1:])
	}
	if rest, err = below.read(rest[1:]); err != nil {
		return "", err
	}
	if !strings.HasPrefix(rest, ")") {
		return "", errors.New("a bracket is not closed")
	}
	return rest[1:], nil
}

// CheckMask checks a selection of fields, as of a query or a field mask, against a schema of the document.
func (d *Document) CheckMask(schemaName, mask string) error {
	return d.checkFields(&schema{Ref: schemaName}, mask)
}

func (d *Document) checkFields(s *schema, mask string) error {
	chosen, err := parseMask(mask)
	if err != nil {
		return err
	}
	return d.checkSelection(s, chosen)
}

func (d *Document) checkSelection(s *schema, chosen selection) error {
	for name, below := range chosen {
		field, err := d.field(s, name)
		if err != nil {
			return err
		}
		if err := d.checkSelection(field, below); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
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

// Select leaves of a JSON value what a mask chooses, as the APIs do with their answers; an empty mask chooses all. A fake
// that does so tells a client that reads what it did not ask for.
func Select(value any, mask string) (any, error) {
	if mask == "" {
		return value, nil
	}
	chosen, err := parseMask(mask)
	if err != nil {
		return nil, err
	}
	return chosen.of(value), nil
}

func (s selection) of(value any) any {
	if s == nil {
		return value
	}
	switch v := value.(type) {
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = s.of(item)
		}
		return items
	case map[string]any:
		fields := map[string]any{}
		for name, field := range v {
			below, named := s[name]
			if _, all := s["*"]; all && !named {
				fields[name] = field
			} else if named {
				fields[name] = below.of(field)
			}
		}
		return fields
	default:
		return value
	}
}
