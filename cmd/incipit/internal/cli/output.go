package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/incipit-dev/incipit/cmd/incipit/internal/source"
	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/registry"
)

// emit prints v as JSON if that was asked for, and else calls people.
func (e *env) emit(v any, people func(w io.Writer)) error {
	if e.json == "" {
		people(&e.page)
		return e.turn()
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if e.json != "*" {
		selected, err := selectFields(v, strings.Split(e.json, ","))
		if err != nil {
			return err
		}
		v = selected
	}
	if err := enc.Encode(v); err != nil {
		return err
	}
	return e.writeJSON(buf.Bytes())
}

// writeJSON writes a document as it is. On a terminal the characters in its
// strings that a terminal could obey, or that nobody sees, are written as
// escapes, which mean the same.
func (e *env) writeJSON(doc []byte) error {
	if e.outTTY {
		var safe []byte
		for _, r := range string(doc) {
			if s := string(r); r < utf8.RuneSelf || prompt.Visible(s) == s {
				safe = append(safe, s...)
			} else if r <= 0xffff {
				safe = fmt.Appendf(safe, `\u%04x`, r)
			} else {
				high, low := utf16.EncodeRune(r)
				safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
			}
		}
		doc = bytes.ReplaceAll(safe, []byte{0x7f}, []byte(`\u007f`))
	}
	_, err := e.rawOut.Write(doc)
	return err
}

// turn writes out what was printed to the page so far.
func (e *env) turn() error {
	_, err := e.stdout.Write(e.page.Bytes())
	e.page.Reset()
	return err
}

// selectFields keeps the named fields of an object, or of each object of a
// list. A field that is left out of the JSON where it is empty is null.
func selectFields(v any, fields []string) (any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	known := fieldsOf(reflect.TypeOf(v))
	obj, isObject := tree.(map[string]any)
	if known == nil {
		known = slices.Sorted(maps.Keys(obj))
	}
	for i, f := range fields {
		fields[i] = strings.TrimSpace(f)
		if !slices.Contains(known, fields[i]) {
			return nil, registry.WithFix(fmt.Errorf("--json=%s is %w: there is no field %q", strings.Join(fields, ","), prompt.ErrInvalid, f),
				"fields are %s", strings.Join(known, ", "))
		}
	}
	if isObject {
		return selectFrom(obj, fields), nil
	}
	list, _ := tree.([]any)
	for i, item := range list {
		if obj, ok := item.(map[string]any); ok {
			list[i] = selectFrom(obj, fields)
		}
	}
	return tree, nil
}

func selectFrom(obj map[string]any, fields []string) map[string]any {
	out := make(map[string]any, len(fields))
	for _, f := range fields {
		out[f] = obj[f]
	}
	return out
}

// fieldsOf are the names that the fields of a struct, or of the structs of a
// list, have in JSON; nil for any other type.
func fieldsOf(t reflect.Type) []string {
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice) {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// table aligns rows; the first one is the heading. Every cell is made safe.
func table(w io.Writer, rows [][]string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = strings.ReplaceAll(prompt.Visible(cell), "\n", " ")
			if cell == "" {
				row[i] = "-"
			}
		}
		fmt.Fprintln(tw, strings.Join(row, "\t"))
	}
	tw.Flush() //nolint:errcheck // a buffer
}

// The few styles there are. Meaning is never in the color alone.
func bold(s string) string  { return ansi.Style{}.Bold().Styled(s) }
func faint(s string) string { return ansi.Style{}.Faint().Styled(s) }
func red(s string) string   { return ansi.Style{}.ForegroundColor(ansi.Red).Styled(s) }
func green(s string) string { return ansi.Style{}.ForegroundColor(ansi.Green).Styled(s) }

func (e *env) printError(err error) {
	if invalid, ok := errors.AsType[*source.InvalidError](err); ok {
		for _, f := range invalid.Findings {
			e.printFinding(e.stderr, f)
		}
		fmt.Fprintf(e.stderr, "%s %s is not valid, so nothing was released\n", bold("incipit:"), invalid.Prompt)
		return
	}
	fmt.Fprintf(e.stderr, "%s %s\n", bold("incipit:"), visibleLines(err.Error()))
	if fix, ok := errors.AsType[*registry.FixError](err); ok {
		fmt.Fprintf(e.stderr, "  %s %s\n", bold("try:"), visibleLines(fix.Fix))
	}
}

// visibleLines makes a message of ours safe to print, its line ends kept.
func visibleLines(s string) string {
	return strings.ReplaceAll(prompt.Visible(s), "\n", "\n  ")
}

func (e *env) printFinding(w io.Writer, f prompt.Finding) {
	word := red
	if f.Severity == prompt.SeverityWarning {
		word = bold
	}
	fmt.Fprintf(w, "%s:%d:%d: %s: %s\n", prompt.Visible(f.Path), max(f.Line, 1), max(f.Col, 1), word(f.Code), visibleLines(f.Message))
	if f.Fix != "" {
		fmt.Fprintf(w, "    %s\n", faint("try: "+visibleLines(f.Fix)))
	}
}
