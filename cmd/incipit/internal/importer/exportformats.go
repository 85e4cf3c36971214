package importer

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/incipit-dev/incipit/internal/prompt"
	"github.com/incipit-dev/incipit/internal/strictjson"
)

func (w *writer) github() ([]byte, error) {
	type message struct {
		Role    string `yaml:"role"`
		Content string `yaml:"content"`
	}
	doc := struct {
		Name        string         `yaml:"name"`
		Description string         `yaml:"description"`
		Model       string         `yaml:"model"`
		Parameters  map[string]any `yaml:"modelParameters,omitempty"`
		Format      string         `yaml:"responseFormat,omitempty"`
		Schema      string         `yaml:"jsonSchema,omitempty"`
		Messages    []message      `yaml:"messages"`
	}{Name: w.m.Name, Description: w.m.Description, Model: w.p.Model}
	doc.Parameters = w.renamed([2]string{"temperature", "temperature"}, [2]string{"topP", "top_p"}, [2]string{"maxTokens", "max_tokens"})
	if w.jsonObject() {
		doc.Format = "json_object"
	}
	if w.schema != nil {
		data, err := indented(w.envelope())
		if err != nil {
			return nil, err
		}
		doc.Format, doc.Schema = "json_schema", string(data)
	}
	for _, m := range w.chat(plain) {
		doc.Messages = append(doc.Messages, message(m))
	}
	return encodeYAML(doc)
}

func (w *writer) dotprompt() ([]byte, error) {
	type object = map[string]any
	head := struct {
		Name        string `yaml:"name"`
		Description string `yaml:"description"`
		Model       string `yaml:"model"`
		Version     string `yaml:"version,omitempty"`
		Config      object `yaml:"config,omitempty"`
		Input       object `yaml:"input,omitempty"`
		Output      object `yaml:"output,omitempty"`
	}{Name: w.m.Name, Description: w.m.Description, Model: w.p.Model, Version: w.p.Version}
	head.Config = w.asIs()
	w.camel(head.Config)
	schema, defaults := make(object), make(object)
	for name, v := range w.p.Variables {
		kind := v.Kind()
		if note := strings.Join(strings.Fields(v.Description), " "); note != "" {
			kind += ", " + note
		}
		if v.Default != nil {
			defaults[name] = v.Default
		}
		if !v.IsRequired() {
			name += "?"
		}
		schema[name] = kind
	}
	if len(schema) > 0 {
		head.Input = object{"schema": schema}
	}
	if len(defaults) > 0 {
		head.Input["default"] = defaults
	}
	switch {
	case w.schema != nil:
		head.Output = object{"format": "json", "schema": w.schema}
	case w.jsonObject():
		delete(head.Config, "response_format")
		head.Output = object{"format": "json"}
	}
	var body strings.Builder
	for _, m := range w.chat(handlebars) {
		role := m.Role
		if role == prompt.Assistant {
			role = "model"
		}
		body.WriteString(`{{role "` + role + `"}}` + m.Content)
	}
	if text := body.String(); strings.TrimSpace(text[len(text)-1:]) == "" {
		body.WriteString("{{! the white space before this belongs to the message }}")
	}
	return withFrontMatter(head, body.String()+"\n")
}

// camel gives parameters the names that dotprompt and Prompty 2 have for them.
func (w *writer) camel(parameters map[string]any) {
	for theirs, ours := range dotpromptParameters {
		if v, ok := w.parameters[ours]; ok && theirs != ours {
			delete(parameters, ours)
			parameters[theirs] = v
		}
	}
}

func withFrontMatter(head any, body string) ([]byte, error) {
	data, err := encodeYAML(head)
	return slices.Concat([]byte("---\n"), data, []byte("---\n"), []byte(body)), err
}

func (w *writer) prompty() ([]byte, error) {
	type object = map[string]any
	type input struct {
		Kind        string `yaml:"kind"`
		Description string `yaml:"description,omitempty"`
		Default     any    `yaml:"default,omitempty"`
	}
	type model struct {
		ID      string `yaml:"id"`
		APIType string `yaml:"apiType"`
		Options object `yaml:"options,omitempty"`
	}
	head := struct {
		Name        string           `yaml:"name"`
		Description string           `yaml:"description"`
		Version     string           `yaml:"version,omitempty"`
		Authors     []string         `yaml:"authors,omitempty"`
		Tags        []string         `yaml:"tags,omitempty"`
		Model       model            `yaml:"model"`
		Inputs      map[string]input `yaml:"inputs,omitempty"`
		Template    object           `yaml:"template"`
	}{Name: w.m.Name, Description: w.m.Description, Version: w.p.Version, Tags: w.m.Tags, Template: object{"format": "jinja2", "parser": "prompty"}}
	if w.m.Author != "" {
		head.Authors = []string{w.m.Author}
	}
	head.Model = model{ID: w.p.Model, APIType: "chat", Options: w.openParameters()}
	w.camel(head.Model.Options)
	head.Inputs = make(map[string]input)
	for name, v := range w.p.Variables {
		head.Inputs[name] = input{v.Kind(), v.Description, v.Default}
	}
	var body strings.Builder
	for _, m := range w.chat(jinja) {
		body.WriteString(m.Role + ":\n" + m.Content + "\n")
	}
	text := body.String()
	if strings.HasSuffix(text, "\n\n") { // the end of the last line is none of the message's
		text += "\n"
	}
	return withFrontMatter(head, text)
}

// openParameters are the parameters, tools and schema as a request to a chat of
// OpenAI's has them.
func (w *writer) openParameters() map[string]any {
	out := w.asIs()
	if w.tools != nil {
		out["tools"] = w.tools
	}
	if w.schema != nil {
		out["response_format"] = map[string]any{"type": "json_schema", "json_schema": w.envelope()}
	}
	return out
}

func (w *writer) promptfoo() ([]byte, error) {
	raw, err := indented(w.chat(jinja))
	if err != nil {
		return nil, err
	}
	type promptOf struct {
		Label string `yaml:"label"`
		Raw   string `yaml:"raw"`
	}
	type provider struct {
		ID     string         `yaml:"id"`
		Config map[string]any `yaml:"config,omitempty"`
	}
	return encodeYAML(struct {
		Description string     `yaml:"description"`
		Prompts     []promptOf `yaml:"prompts"`
		Providers   []provider `yaml:"providers"`
	}{w.m.Description, []promptOf{{string(w.p.ID), string(raw)}}, []provider{{providerOf(w.p.Model), w.openParameters()}}})
}

// providerOf is promptfoo's provider for a model that is known by its name
// alone.
func providerOf(model string) string {
	switch {
	case strings.HasPrefix(model, "claude"):
		return "anthropic:messages:" + model
	case strings.HasPrefix(model, "gemini"):
		return "google:" + model
	}
	return "openai:chat:" + model
}

func (w *writer) openAI() ([]byte, error) {
	type variable struct {
		Type        string `json:"type"`
		Description string `json:"description,omitempty"`
		Default     any    `json:"default,omitempty"`
	}
	doc := []byte("{}")
	var failed error
	add := func(key string, value any) {
		var err error
		if doc, err = strictjson.Append(doc, key, value); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	add("name", w.m.Name)
	add("description", w.m.Description)
	if w.p.Version != "" {
		add("version", w.p.Version)
	}
	add("model", w.p.Model)
	chat := w.chat(plain)
	if len(chat) > 0 && chat[0].Role == prompt.System {
		add("instructions", chat[0].Content)
		chat = chat[1:]
	}
	if len(chat) > 0 {
		add("input", chat)
	}
	if len(w.p.Variables) > 0 {
		vs := make(map[string]variable)
		for name, v := range w.p.Variables {
			vs[name] = variable{v.Kind(), v.Description, v.Default}
		}
		add("variables", vs)
	}
	if w.tools != nil {
		add("tools", w.tools)
	}
	for _, key := range slices.Sorted(maps.Keys(w.parameters)) {
		switch {
		case key == "max_tokens":
			add("max_output_tokens", w.parameters[key])
		case key != "verbosity" && key != "response_format" && openParameters[key] == key:
			add(key, w.parameters[key])
		}
	}
	if text := w.openAIText(); len(text) > 0 {
		add("text", text)
	}
	return append(doc, '\n'), failed
}

// openAIText says what form the answer has.
func (w *writer) openAIText() map[string]any {
	text := make(map[string]any)
	switch {
	case w.schema != nil:
		format := w.envelope()
		format["type"] = "json_schema"
		text["format"] = format
	case w.jsonObject():
		text["format"] = map[string]any{"type": "json_object"}
	}
	if v, ok := w.parameters["verbosity"]; ok {
		text["verbosity"] = v
	}
	return text
}
