SHELL       := bash
.SHELLFLAGS := -euo pipefail -c

# Both modules of the workspace. tools/ is a third, used only to build the
# linter, tools/actionlint another one since the two need different versions of
# a library, and examples/ a fourth, with the clients of providers. Its tests read
# docs/, which the cache of results does not see, hence -count=1; to instrument
# the clients for -race would take minutes.
PACKAGES := ./... ./cmd/incipit/...
# SQLite is C that was translated to Go, and keeps its data outside of Go's heap,
# where the race detector does not look: to instrument it finds nothing, and
# doubles what the tests of the store take.
RACE     := -race -gcflags=modernc.org/sqlite/lib=-race=false
LINT     := .bin/golangci-lint
ACTIONS  := .bin/actionlint
EXAMPLES := cd examples && GOWORK=off
BUILD    := CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o .bin/incipit ./cmd/incipit

.PHONY: help build demo test test-deps check format-check modules-check vet lint fmt fuzz faults screenshots bench bench-guard clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

build: ## build the program into .bin/incipit
	$(BUILD)

demo: ## build the program and show it at work
	@go list -deps ./cmd/incipit >/dev/null # what is downloaded is no build
	@TIMEFORMAT='built in %1R s' && time { $(BUILD); go build -trimpath -o .bin/traffic ./scripts/traffic; }
	@bash scripts/demo.sh

test: test-deps $(if $(filter true,$(CI)),check) ## run all tests with the race detector, then every fuzz target for FUZZTIME (20s)
	go test $(RACE) -timeout 30m $(PACKAGES)
	$(EXAMPLES) go test -count=1 ./...
	scripts/fuzz

test-deps:
	@scripts/install-test-deps

check: format-check modules-check vet lint ## run everything that judges the code without running it

format-check:
	@files=$$(gofmt -l .); [[ -z $$files ]] || { echo "not formatted; run: make fmt"; echo "$$files"; exit 1; } >&2

modules-check:
	scripts/check-modules

vet:
	go vet $(PACKAGES)
	$(EXAMPLES) go vet ./...

lint: $(LINT) $(ACTIONS) ## run the linters over both modules, the examples, and the workflows that we ship or show
	$(LINT) run $(PACKAGES)
	$(EXAMPLES) ../$(LINT) run ./...
	scripts/lint-workflows

fmt: $(LINT) ## format the code
	$(LINT) fmt

$(LINT): tools/go.sum
	cd tools && CGO_ENABLED=0 GOWORK=off go build -trimpath -ldflags '-s -w' -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@ # go build leaves a file alone that it would write again unchanged

$(ACTIONS): tools/actionlint/go.sum
	cd tools/actionlint && CGO_ENABLED=0 GOWORK=off go build -trimpath -ldflags '-s -w' -o ../../$@ github.com/rhysd/actionlint/cmd/actionlint
	@touch $@

fuzz: ## run every fuzz target for FUZZTIME (20s)
	scripts/fuzz

faults: ## run the slow proofs against faults, and write results/
	scripts/faults

screenshots: test-deps ## write pictures of every page in both themes to docs/images/
	@mkdir -p docs/images
	PICTURES=$(CURDIR)/docs/images go test -count=1 -run '^TestAxe' ./cmd/incipit/uitest

bench: ## measure, and write results/
	bash scripts/bench.sh

# GUARD_ROLLOUTS=1000 is what docs/benchmarks.md holds; GUARD_TABLES=errors,whole
# prints some of the tables.
bench-guard: ## measure what the guard reaches beside its aims, for GUARD_ROLLOUTS rollouts (100) a row
	@mkdir -p results
	go test -run '^$$' -bench '^BenchmarkGuard$$' -benchtime 1x -timeout 24h ./cmd/incipit/internal/guard | tee results/guard.txt

clean: ## remove what make built and measured
	rm -rf .bin results
