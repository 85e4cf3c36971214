#!/usr/bin/env bash
# Measures the program beside its yardsticks, in one run, and writes results/.
# Nothing here passes or fails: docs/benchmarks.md holds the figures and what
# they were measured on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# promptfoo brings the yardstick of suites into .bin, once, if npm is here.
promptfoo() {
	export PROMPTFOO=$PWD/.bin/promptfoo/node_modules/.bin/promptfoo
	[[ -x $PROMPTFOO ]] && return
	if ! command -v npm >/dev/null || ! npm install --silent --no-audit --no-fund --prefix .bin/promptfoo promptfoo@0.121.20 >&2; then
		echo "promptfoo is not here: suites are measured without it"
		unset PROMPTFOO
	fi
}

mkdir -p results
{
	echo "# the command line, on 1,000 prompts x 10 releases"
	go test -run '^$' -bench '^BenchmarkCLI$' -benchtime "${BENCHTIME:-15x}" -timeout 30m ./cmd/incipit
	echo "# the server: start, what a change costs, how fast it is seen"
	go test -run '^$' -bench '^BenchmarkServe$' -benchtime 5x -timeout 30m ./cmd/incipit
	go test -run '^$' -bench . -timeout 30m ./cmd/incipit/internal/server
	go test -run '^$' -bench . -timeout 30m ./cmd/incipit/internal/sqlstore
	go test -run '^$' -bench '^BenchmarkIndex$' -benchtime 3x -timeout 30m ./cmd/incipit/internal/source
	echo "# calls: kept, counted, asked for, and too many; INCIPIT_BENCH_CALLS=10000000 asks among ten million"
	go test -run '^$' -bench '^BenchmarkAppend$' -benchtime 600x -timeout 30m ./cmd/incipit/internal/calllog
	go test -run '^$' -bench '^BenchmarkRead$' -timeout 60m ./cmd/incipit/internal/calllog
	go test -run '^$' -bench '^BenchmarkFlood$' -benchtime 1x -timeout 30m ./cmd/incipit
	echo "# the guard: from the call that gives a release away until everybody is back"
	go test -run '^$' -bench '^BenchmarkRollback$' -benchtime 1x -timeout 30m ./cmd/incipit
	go test -run '^$' -bench . -benchmem -timeout 30m ./cmd/incipit/internal/{api,telemetry,callfile,otlp}
	echo "# tests: suites through the whole program, beside promptfoo where node is; a comparison's level and power"
	promptfoo
	go test -run '^$' -bench '^BenchmarkSuites$' -benchtime 3x -timeout 60m ./cmd/incipit
	go test -run '^$' -bench LevelAndPower -benchtime 1x -timeout 30m ./cmd/incipit/internal/compare
	go test -run '^$' -bench . -benchtime 3x -timeout 60m ./cmd/incipit/internal/{assertion,provider,report,sandbox,suite}
	echo "# the pages, in Chromium: the matrix of 1,000 prompts, a rollback, a change that others make"
	go test -run '^$' -bench . -benchtime 10x -timeout 60m ./cmd/incipit/uitest
	echo "# the SDK, and the light half"
	go test -run '^$' -bench . -benchmem .
	go test -run '^$' -bench . -benchmem ./internal/...
} | tee results/bench.txt
