package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

// parseJSON reads JSON into the nodes that parse makes of YAML, so that both are
// read alike. It is no YAML: of that, JSON is not quite a part.
func parseJSON(file string, data []byte, offset int) (*document, *yaml.Node, error) {
	d := &document{file: file, offset: offset}
	if err := strictjson.Check(data); err != nil {
		line := 1
		if bad, ok := errors.AsType[*strictjson.Error](err); ok {
			line, _ = strictjson.Position(data, bad.Offset)
		}
		return nil, nil, fail(file, offset+line, "%s", prompt.Clip(err.Error(), 200))
	}
	b := jsonReader{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	b.dec.UseNumber()
	n, err := b.value()
	if err != nil {
		return nil, nil, fail(file, offset+1, "%s", prompt.Clip(err.Error(), 200))
	}
	root, err := d.expand(n, 0, nil) // for the limits
	return d, root, err
}

// A jsonReader counts lines on the way.
type jsonReader struct {
	dec  *json.Decoder
	data []byte
	at   int64
	line int
}

func (b *jsonReader) token() (json.Token, error) {
	t, err := b.dec.Token()
	now := b.dec.InputOffset()
	b.line += bytes.Count(b.data[b.at:now], []byte("\n"))
	b.at = now
	return t, err
}

func (b *jsonReader) value() (*yaml.Node, error) {
	t, err := b.token()
	if err != nil {
		return nil, err
	}
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: b.line}
	switch t := t.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		if t == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		for b.dec.More() {
			c, err := b.value()
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		_, err := b.token()
		return n, err
	case string:
		n.Tag, n.Value = "!!str", t
	case json.Number:
		n.Tag, n.Value = "!!float", t.String()
		if _, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			n.Tag = "!!int"
		}
	case bool:
		n.Tag, n.Value = "!!bool", strconv.FormatBool(t)
	case nil:
		n.Tag, n.Value = "!!null", "null"
	}
	return n, nil
}
