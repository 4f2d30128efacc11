# Signalbox. `make help` lists the targets; each does its own set-up.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO      ?= go
GOFLAGS_BUILD := -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
WEB     := ui/web
TOOLS   := .cache/tools
# The embedded ClickHouse engine is published for this platform; elsewhere its tests are skipped.
CHDB    := $(if $(filter Linux-x86_64,$(shell uname -s)-$(shell uname -m)),1)
# Inputs of the web app; its dist is rebuilt only when one of them is newer.
WEB_SOURCES := $(shell find $(WEB)/src $(WEB)/public $(WEB)/scripts -type f 2>/dev/null) $(wildcard $(WEB)/*.json $(WEB)/*.ts $(WEB)/*.html)

.PHONY: help
help: ## show this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ui ## build bin/signalbox with the web app inside
	$(GO) build $(GOFLAGS_BUILD) -o bin/signalbox ./cmd/signalbox

.PHONY: chdb
chdb: scripts/chdb/node_modules/.package-lock.json ## fetch the embedded ClickHouse engine, for history (180 MB)

scripts/chdb/node_modules/.package-lock.json: scripts/chdb/package.json scripts/chdb/package-lock.json
	cd scripts/chdb && npm ci --no-audit --no-fund
	@touch $@

.PHONY: run
run: build chdb ## build it and run the demo on http://127.0.0.1:7420
	exec bin/signalbox demo

.PHONY: ui
ui: $(WEB)/dist/index.html ## build the web app (needs Node 20 or newer)

$(WEB)/node_modules/.package-lock.json: $(WEB)/package.json $(WEB)/package-lock.json
	cd $(WEB) && npm ci --no-audit --no-fund
	@touch $@

$(WEB)/dist/index.html: $(WEB)/node_modules/.package-lock.json $(WEB_SOURCES)
	cd $(WEB) && npm run build

.PHONY: test
test: test-go test-web test-e2e ## all tests: Go with -race, real Prometheus and Alertmanager, web, browser

.PHONY: test-go
test-go: programs chdb
	REQUIRE_PEERS=1 REQUIRE_CHDB=$(CHDB) $(GO) test -race -count=1 -timeout 20m ./...

.PHONY: test-web
test-web: $(WEB)/node_modules/.package-lock.json
	cd $(WEB) && npm test

.PHONY: test-e2e
test-e2e: programs build
	cd $(WEB) && npm run e2e

.PHONY: e2e
e2e: build chdb alertmanager ## the whole way on real parts: Prometheus, two Alertmanagers, Apache Kafka, ClickHouse, browser
	scripts/setup.sh $(if $(CHROMIUM),,chromium) prometheus java mvn
	scripts/e2e.sh

# What the tests run against. CHROMIUM names another browser than Debian's.
.PHONY: programs
programs:
	scripts/setup.sh $(if $(CHROMIUM),,chromium) prometheus prometheus-alertmanager systemd-analyze

.PHONY: screenshot
screenshot: programs build ## take docs/board.png from the running demo
	cd $(WEB) && node scripts/screenshot.mjs

.PHONY: lint
lint: $(TOOLS)/golangci-lint $(WEB)/node_modules/.package-lock.json ## golangci-lint, eslint, type check, API types
	$(TOOLS)/golangci-lint run ./...
	cd $(WEB) && npm run lint && npm run typecheck

.PHONY: fmt
fmt: $(TOOLS)/golangci-lint ## format the Go code
	$(TOOLS)/golangci-lint fmt ./...

.PHONY: alertmanager
alertmanager: ## build the Alertmanager that scripts/alertmanager/go.mod names, to compare with
	scripts/alertmanager/build.sh

.PHONY: bench
bench: build alertmanager chdb $(TOOLS)/benchstat ## benchmarks, and end-to-end load (docs/performance.md)
	scripts/bench.sh

# JSON=FILE keeps the figures; ONCE=1 runs each command once instead of twice with a comparison of the two.
.PHONY: score
score: ## judge it on public data: make score EVALUATE=FOLDER DATA=FOLDER (docs/quality.md)
	@if [ -z "$(EVALUATE)" ] || [ -z "$(DATA)" ]; then echo 'How: make score EVALUATE=FOLDER DATA=FOLDER, the folders of the judges and of the data; docs/quality.md says what is in them.' >&2; exit 2; fi
	$(MAKE) build
	python3 scripts/score.py bin/signalbox "$(EVALUATE)" "$(DATA)" $(if $(ONCE),--once) $(if $(JSON),--json "$(JSON)")

.PHONY: fuzz
fuzz: ## fuzz every decoder for FUZZTIME (default 20s) each
	scripts/fuzz.sh

# Tools live in a module of their own, so that the product's go.mod stays clean.
$(TOOLS)/golangci-lint: tools/go.mod
	$(GO) build -C tools -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

$(TOOLS)/benchstat: tools/go.mod
	$(GO) build -C tools -o ../$@ golang.org/x/perf/cmd/benchstat
