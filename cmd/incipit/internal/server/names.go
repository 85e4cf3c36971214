package server

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
)

// exactNames reports a key of a checked document that the Go type does not
// have, written exactly so: encoding/json would take "Confirm" for "confirm".
func exactNames(t reflect.Type, data []byte) error {
	if t.Kind() == reflect.Interface {
		return nil
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return err
	}
	return namesOf(t, v)
}

func namesOf(t reflect.Type, v any) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if p := reflect.PointerTo(t); p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return nil // it reads itself
	}
	switch v := v.(type) {
	case []any:
		if t.Kind() != reflect.Slice {
			return nil // Decode says so better
		}
		for _, e := range v {
			if err := namesOf(t.Elem(), e); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, e := range v {
			of, err := member(t, name)
			if err == nil && of != nil {
				err = namesOf(of, e)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// member is the type of what stands under a name in t; nil if t holds no names.
func member(t reflect.Type, name string) (reflect.Type, error) {
	switch t.Kind() {
	case reflect.Map:
		return t.Elem(), nil
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(t) {
			if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name && name != "" && f.IsExported() {
				return f.Type, nil
			}
		}
		return nil, fmt.Errorf("%q is not known here", prompt.Clip(name, 60))
	}
	return nil, nil //nolint:nilnil // Decode says so better
}
