package source

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// checkSchema reports why raw is no JSON Schema. References to other documents
// are refused: nothing is fetched or read for a prompt.
func checkSchema(raw []byte) error {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	const name = "output_schema.json"
	if err := c.AddResource(name, doc); err != nil {
		return err
	}
	_, err = c.Compile(name)
	if bad, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		return bad.Err
	}
	return err
}

type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is another document; write the schema out", url)
}
