# Runs one function of a suite's Python and writes what it gives back, as JSON,
# to where stdout was. Whatever else is printed goes where errors go.
import asyncio, inspect, json, os, sys, textwrap, types

answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
request = json.loads(sys.stdin.buffer.read())
try:
    import resource
    limit = request["memory_bytes"]
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except ImportError:  # not on this system
    pass

if request["dir"]:
    sys.path.insert(0, request["dir"])
code, name = request["code"], request["function"]
if not request["file"]:
    lines = textwrap.dedent(code).strip("\n").rstrip()
    if "\n" not in code.rstrip():
        lines = "return " + lines.strip()
    code = "def main(output, context):\n" + textwrap.indent(lines, "    ")
    name = "main"


def fail(message, line):
    json.dump({"error": message[:1200], "line": line}, answer)
    answer.close()
    sys.exit(0)


try:
    module = types.ModuleType("suite")
    module.__dict__.update(json=json, __file__=request["file"] or "python")
    sys.modules["suite"] = module
    exec(compile(code, "<suite>", "exec"), module.__dict__)
    call = module
    for part in name.split("."):
        call = getattr(call, part, None)
    if call is None:
        fail("it defines no function " + name, 0)
    result = call(request["output"], request["context"])
    if inspect.isawaitable(result):
        async def wait():
            return await result
        result = asyncio.run(wait())
    text = json.dumps({"value": result})
except BaseException as e:
    line = e.lineno if isinstance(e, SyntaxError) else 0
    trace = e.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<suite>":
            line = trace.tb_lineno
        trace = trace.tb_next
    if line and not request["file"]:
        line = max(line - 1, 1)
    try:
        said = str(e)
    except BaseException:
        said = "an error that cannot be shown"
    fail(type(e).__name__ + ": " + said, line or 0)
answer.write(text)
answer.close()
