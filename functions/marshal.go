package functions

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// JSONObject is a JSON object of somebody else's making, which an answer carries as it is: what may stand in it is said
// by the schema of its maker.
type JSONObject json.RawMessage

// MarshalJSON implements json.Marshaler.
func (o JSONObject) MarshalJSON() ([]byte, error) { return json.RawMessage(o).MarshalJSON() }

// UnmarshalJSON implements json.Unmarshaler.
func (o *JSONObject) UnmarshalJSON(text []byte) error {
	return (*json.RawMessage)(o).UnmarshalJSON(text)
}

// Marshal writes an answer as the output schemas promise it: a list without entries is [], never null. The value
// itself is left as it is.
func Marshal(answer any) ([]byte, error) {
	value := reflect.ValueOf(answer)
	if value.IsValid() {
		answer = withLists(value).Interface()
	}
	data, err := json.Marshal(answer)
	if err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return data, nil
}

var marshaler = reflect.TypeFor[json.Marshaler]()

// withLists copies a value with its nil slices replaced by empty ones. Types that encode themselves stay as they are.
func withLists(value reflect.Value) reflect.Value {
	kind := value.Type()
	if kind.Implements(marshaler) || reflect.PointerTo(kind).Implements(marshaler) {
		return value
	}
	switch kind.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			return value
		}
		copied := reflect.New(kind.Elem())
		copied.Elem().Set(withLists(value.Elem()))
		return copied
	case reflect.Interface:
		if value.IsNil() {
			return value
		}
		return withLists(value.Elem())
	case reflect.Struct:
		copied := reflect.New(kind).Elem()
		copied.Set(value)
		for i := range kind.NumField() {
			if field := copied.Field(i); field.CanSet() {
				field.Set(withLists(field))
			}
		}
		return copied
	case reflect.Slice:
		copied := reflect.MakeSlice(kind, value.Len(), value.Len())
		for i := range value.Len() {
			copied.Index(i).Set(withLists(value.Index(i)))
		}
		return copied
	default:
		return value
	}
}
