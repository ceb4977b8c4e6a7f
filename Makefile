# The project's tasks. They need Python 3.11 or newer with its venv module; all else is installed
# into .venv, from the lock files and by hash. A part of a task runs alone too: `make lint types`.

PYTHON ?= python3
# Further arguments, for example: make test ARGS="tests/ledger -x"
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
BUF := node_modules/.bin/buf
# Hashes guard what is installed; a source archive would fetch tools to build itself past them.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := $(PIP) install --quiet --only-binary :all: --require-hashes
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help demo demo-cluster test fuzz simulate check bench serve protos fmt lock clean \
	format lint types layers fresh buf lint-protos audit bill
.DELETE_ON_ERROR:

help: ## Show this list
	@echo "make TASK, with one of:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/run.stamp ## Play two quarters through a server of its own and show scores and audit
	@$(BIN)/python -m examples.demo $(ARGS)

demo-cluster: $(VENV)/run.stamp ## Kill one of two servers on one PostgreSQL under load, and verify the ledger
	@$(BIN)/python -m examples.cluster $(ARGS)

test: $(VENV)/run.stamp ## Run all tests, the fast ones first (ARGS="-m 'not slow and not system'")
	@$(BIN)/python -m pytest $(ARGS)

fuzz: $(VENV)/run.stamp ## Call every method with requests made by chance (ARGS="100000 7": calls, seed)
	@OKR_FUZZ_CALLS=$(or $(word 1,$(ARGS)),10000) OKR_FUZZ_SEED=$(or $(word 2,$(ARGS)),1) \
		$(BIN)/python -m pytest -q tests/hostile/test_requests.py

simulate: $(VENV)/run.stamp ## Play seeded histories with faults against a model (ARGS="--seeds 100000 --from 1")
	@$(BIN)/python -m tests.simulation $(ARGS)

check: format lint types layers fresh buf audit bill ## Check style, types, layers, generated code, protos, dependencies

bench: $(VENV)/run.stamp ## Measure speed and memory, write benchmarks/results.json
	@$(BIN)/python -m benchmarks $(ARGS)

serve: $(VENV)/run.stamp ## Run the server (settings: OKR_… or ARGS="--help")
	@$(BIN)/python server.py $(ARGS)

protos: $(VENV)/dev.stamp ## Generate okr/v1 and buf/validate from the protos
	@$(BIN)/python tools/protos.py

fmt: $(VENV)/dev.stamp ## Format the code and the protos, and fix what the linter can
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .
	@if [ -x $(BUF) ]; then $(BUF) format --write protos; fi

lock: $(VENV)/dev.stamp ## Renew the lock files (ARGS=--upgrade takes the newest versions)
	@$(COMPILE) $(ARGS) --extra postgres --group test -o requirements.lock pyproject.toml
	@$(COMPILE) $(ARGS) --extra postgres --group dev -c requirements.lock \
		-o requirements-dev.lock pyproject.toml
	@if command -v npm >/dev/null; then npm install --package-lock-only --no-progress; fi

clean: ## Remove caches and what was built; .venv and node_modules stay
	@rm -rf build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . \( -name .venv -o -name node_modules -o -name .git \) -prune \
		-o -name __pycache__ -type d -prune -exec rm -rf {} +

# The parts of `make check`.

format: $(VENV)/dev.stamp
	@$(BIN)/ruff format --check .

lint: $(VENV)/dev.stamp
	@$(BIN)/ruff check .

types: $(VENV)/dev.stamp
	@$(BIN)/mypy

layers: $(VENV)/dev.stamp
	@$(BIN)/lint-imports --no-logo

fresh: $(VENV)/dev.stamp
	@$(BIN)/python tools/protos.py --check

buf:
	@if command -v npm >/dev/null || [ -x $(BUF) ]; then \
		$(MAKE) --no-print-directory lint-protos; \
	else \
		echo "Skipped: lint, format and breaking changes of the protos. They need buf, which npm"; \
		echo "installs: get Node.js 18 or newer with npm (Debian: apt-get install npm)."; \
	fi

lint-protos: node_modules/stamp
	@$(BUF) lint
	@$(BUF) format --diff --exit-code protos
	@if tag=$$(git describe --tags --abbrev=0 2>/dev/null); then \
		echo "Breaking changes of the protos since $$tag:"; \
		$(BUF) breaking --against ".git#tag=$$tag" && echo "none"; \
	else \
		echo "No release is tagged yet: nothing that a change of the protos could break."; \
	fi

audit: $(VENV)/dev.stamp
	@$(BIN)/python tools/audit.py $(ARGS)

# The software bill of materials: what is locked and installed, with licences.
bill: build/okr-ledger.cdx.json

# What the tasks stand on. A stamp is written last, so an installation that was cut off is repeated.

$(VENV)/python.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed, and \`$(PYTHON)\` is not. Name one that is:"; \
		echo "  make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "Python's venv module is needed (Debian: apt-get install python3-venv)."; exit 1; }
	@touch $@

$(VENV)/run.stamp: $(VENV)/python.stamp requirements.lock pyproject.toml
	@echo "Installing what the project needs into $(VENV) (once, about a minute) …"
	@$(INSTALL) -r requirements.lock
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.lock
	@echo "Installing the developers' tools into $(VENV) (once) …"
	@$(INSTALL) -r requirements-dev.lock
	@touch $@

build/okr-ledger.cdx.json: $(VENV)/dev.stamp tools/bill.py
	@$(BIN)/python tools/bill.py $@

node_modules/stamp: package.json package-lock.json
	@npm ci --no-progress --loglevel=error
	@touch $@
