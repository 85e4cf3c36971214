package otlp

// A convention is how one family of libraries names a prompt and its version.
type convention struct{ name, version []string }

// conventions are asked in this order; the first that names a prompt tells its
// version, too. OpenInference has no attribute for a prompt's name: its
// template's version stands beside a name that people made up the same way, or
// beside the id of the prompt at its vendor.
var conventions = []convention{
	{[]string{"incipit.prompt.id"}, []string{"incipit.prompt.version"}},
	{[]string{"gen_ai.prompt.name"}, []string{"gen_ai.prompt.version"}},
	{[]string{"langfuse.observation.prompt.name", "langfuse.prompt.name"}, []string{"langfuse.observation.prompt.version", "langfuse.prompt.version"}},
	{[]string{"traceloop.prompt.key"}, []string{"traceloop.prompt.version_name", "traceloop.prompt.version", "traceloop.prompt.version_hash"}},
	{[]string{"llm.prompt_template.name", "prompt.name", "prompt.id"}, []string{"llm.prompt_template.version", "prompt.version"}},
}

// The attributes of a call, the ones that win first. Those after a dot that no
// library sends, such as usage_details.input, are members of JSON texts.
var (
	environmentNames = []string{"incipit.environment", "deployment.environment.name", "deployment.environment", "langfuse.environment"}
	subjectNames     = []string{"incipit.prompt.subject", "user.id", "enduser.id", "langfuse.user.id", "session.id", "gen_ai.conversation.id"}

	inputTokenNames = []string{
		"gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens",
		usageDetails + ".input", usageDetails + ".input_tokens", usageDetails + ".prompt_tokens",
		"llm.usage.prompt_tokens", "llm.token_count.prompt",
	}
	outputTokenNames = []string{
		"gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens",
		usageDetails + ".output", usageDetails + ".output_tokens", usageDetails + ".completion_tokens",
		"llm.usage.completion_tokens", "llm.token_count.completion",
	}
	cachedTokenNames = []string{
		"gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.cached_tokens",
		usageDetails + ".input_cache_read", usageDetails + ".input_cached_tokens", usageDetails + ".cache_read_input_tokens",
		"llm.usage.cache_read_input_tokens", "llm.token_count.prompt_details.cache_read", "llm.token_count.prompt_details.cache_input",
	}
	costNames  = []string{"gen_ai.usage.cost", "gen_ai.usage.cost_usd", costDetails + ".total", "llm.cost.total"} // US dollars
	modelNames = []string{
		"gen_ai.response.model", "llm.response.model_name",
		"langfuse.observation.model.name", "gen_ai.request.model", "llm.request.model_name", "llm.model_name",
	}
	finishNames      = []string{"gen_ai.response.finish_reasons", "llm.finish_reason", "llm.response.finish_reason", "llm.response.stop_reason"}
	responseNames    = []string{"gen_ai.response.id"}
	firstTokenNames  = []string{"gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token", "gen_ai.response.time_to_first_token"} // seconds
	firstTokenEvents = []string{"First Token Stream Event", "llm.content.completion.chunk", "gen_ai.first_token"}
	inputNames       = []string{"incipit.prompt.variables", "gen_ai.input.messages", "langfuse.observation.input", "gen_ai.prompt", "input.value"}
	outputNames      = []string{"gen_ai.output.messages", "langfuse.observation.output", "gen_ai.completion", "output.value"}
)

const (
	usageDetails    = "langfuse.observation.usage_details"
	costDetails     = "langfuse.observation.cost_details"
	completionStart = "langfuse.observation.completion_start_time"
	tagPrefix       = "incipit.tag."
)

// isModelCall reports whether the span may be a model call. Libraries copy a
// prompt's name to every span below the one that used it, chains and tools
// among them; each says what it is, and only a model call is counted.
func (r *reading) isModelCall() bool {
	for _, name := range []string{"mcp.method.name", "db.system.name", "db.system", "traceloop.span.kind"} {
		if r.text(name) != "" {
			return false // traceloop.span.kind is workflow, task, agent or tool
		}
	}
	if kind := r.text("openinference.span.kind"); kind != "" && kind != "LLM" {
		return false
	}
	if kind := r.text("langfuse.observation.type"); kind != "" && kind != "generation" {
		return false
	}
	switch r.text("gen_ai.operation.name") {
	case "create_agent", "invoke_agent", "invoke_workflow", "execute_tool", "embeddings", "retrieval", "plan",
		"create_memory", "update_memory", "upsert_memory", "delete_memory", "search_memory":
		return false
	}
	switch r.text("llm.request.type") {
	case "embedding", "rerank":
		return false
	}
	return true
}
