# On a fresh machine: `make run` installs and answers a first prompt, `make test` installs what tests need and runs them.

PYTHON ?= python3
PROMPT ?= What is Python?
CHROMIUM ?= /usr/bin/chromium
DATABASE ?= sqlite:///$(CURDIR)/.data/orchestrator.db

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
CHECK_DB = MODEL_ORCHESTRATOR_DATABASE_URL='sqlite:///$(CURDIR)/.venv/check.db'
COMPILE = $(BIN)/uv pip compile --quiet --upgrade --no-strip-extras --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

AXE = 4.14.1
AXE_SHA512 = 1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5

# Of the peers that `make bench` and `make bench-gateway` measure.
EVENTSOURCING = 9.5.6
LITELLM = 1.108.7
PORTKEY = 1.15.2

override PROMPT := $(value PROMPT)
export PROMPT DATABASE
# Without byte code every start compiles every module again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run serve test test-browser check lock prices weights bench bench-gateway evaluate stress soak hosts e2e wheel clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.* ## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.* ## (.*)/make \1\t\2/' | expand -t 20

# A virtual environment holds absolute paths: in a moved or copied checkout it would run the old one's code.
ifneq ($(shell cat .venv/runtime 2>/dev/null),$(CURDIR))
.PHONY: .venv/runtime
CLEAR := --clear
endif

.venv/runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11 ...")'
	@echo "Installing into .venv ..."
	@$(if $(CLEAR),$(PYTHON) -m venv --clear .venv)
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@echo "$(CURDIR)" > $@

.venv/dev: .venv/runtime requirements-dev.lock
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@mkdir -p .venv/typing && ln -sfn ../.. .venv/typing/model_orchestrator
	@touch $@

.venv/e2e: .venv/dev requirements-e2e.lock
	@$(PIP) install --no-deps --require-hashes -r requirements-e2e.lock
	@touch $@

run: .venv/runtime ## one run a strategy, offline: make run PROMPT="..."
	@mkdir -p .data
	@$(BIN)/model-orchestrator run "$$PROMPT" --provider simulated --database "$$DATABASE"
	@echo
	@echo "A chain, whose first model is not sure:"
	@$(BIN)/model-orchestrator run "What is Erlang?" --strategy fallback --provider simulated --database "$$DATABASE"
	@echo
	@echo "An ensemble, in which one model disagrees:"
	@$(BIN)/model-orchestrator run "What is 23 * 19?" --strategy ensemble --provider simulated --database "$$DATABASE"
	@echo
	@echo "Next, in this folder:"
	@echo "  .venv/bin/model-orchestrator audit trail last --database '$(DATABASE)'"
	@echo "  .venv/bin/model-orchestrator run 'Design a distributed system' --dry-run"
	@echo "  OPENAI_API_KEY=... .venv/bin/model-orchestrator run 'What is Python?'"

serve: .venv/runtime ## serve the API and the dashboard, simulated: make serve ARGS="--provider live --port 8080"
	@mkdir -p .data
	@$(BIN)/model-orchestrator serve --database "$$DATABASE" $(if $(findstring --provider,$(ARGS)),,--provider simulated) $(ARGS)

test: .venv/dev ## run the tests with branch coverage
	@$(BIN)/pytest -q -n auto --dist loadgroup --cov --cov-report term $(ARGS)

test-browser: .venv/dev .venv/browser/axe.min.js ## try the dashboard in Chromium: errors, actions, keyboard, accessibility
	@test -x $(CHROMIUM) || if [ "$$(id -u)" = 0 ]; then apt-get -qq update && apt-get -qq install -y chromium >/dev/null; \
		else echo "$(CHROMIUM) is missing: install the package chromium, or say CHROMIUM=PATH" >&2; exit 1; fi
	@CHROMIUM=$(CHROMIUM) $(BIN)/pytest -q -n 2 --dist loadscope tests/browser $(ARGS)

# For tests only, so it is neither committed nor shipped.
.venv/browser/axe.min.js: | .venv/dev
	@rm -rf .venv/browser && mkdir -p .venv/browser
	@cd .venv/browser && npm pack --silent axe-core@$(AXE) >/dev/null
	@echo "$(AXE_SHA512)  .venv/browser/axe-core-$(AXE).tgz" | sha512sum --check --quiet
	@tar -xzf .venv/browser/axe-core-$(AXE).tgz -C .venv/browser --strip-components=1 package/axe.min.js
	@touch $@

check: .venv/dev ## format, lint, types, layers, migrations
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@MYPYPATH=.venv/typing $(BIN)/mypy -p model_orchestrator -p tests
	@$(BIN)/lint-imports
	@rm -f .venv/check.db*
	@$(CHECK_DB) $(BIN)/alembic upgrade head
	@$(CHECK_DB) $(BIN)/alembic check

lock: .venv/dev ## refresh the locks
	@$(COMPILE) pyproject.toml --group build -o requirements.lock
	@$(COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	@$(COMPILE) --group pyproject.toml:e2e --no-deps -o requirements-e2e.lock

prices: .venv/dev ## renew the snapshot of public prices
	@$(BIN)/python -m model_orchestrator.infrastructure.prices_snapshot

weights: .venv/dev ## train the shipped weights again: make weights DATA=folder
	@OMP_NUM_THREADS=1 $(BIN)/python -m model_orchestrator.infrastructure.learning.shipped "$(DATA)"

bench: .venv/dev ## measure everything, some twenty minutes: make bench ARGS="--peers"
	@$(if $(findstring --peers,$(ARGS)),$(MAKE) --no-print-directory .venv/peers/eventsourcing/bin/python)
	@$(BIN)/python -m tests.benchmarks.bench_clients
	@$(BIN)/python -m tests.benchmarks.bench_store $(filter --peers,$(ARGS))
	@$(BIN)/python -m tests.benchmarks.bench_projections $(ARGS)
	@$(BIN)/python -m tests.benchmarks.bench_monitor
	@$(BIN)/python -m tests.benchmarks.bench_growth
	@$(MAKE) --no-print-directory bench-gateway ARGS="$(ARGS)"

bench-gateway: .venv/dev ## measure the service under load: make bench-gateway ARGS="--peers"
	@command -v wrk >/dev/null || if [ "$$(id -u)" = 0 ]; then apt-get -qq update && apt-get -qq install -y wrk >/dev/null; \
		else echo "wrk is missing: install the package wrk" >&2; exit 1; fi
	@$(if $(findstring --peers,$(ARGS)),$(MAKE) --no-print-directory .venv/peers/litellm/bin/litellm .venv/peers/portkey/node_modules)
	@$(BIN)/python -m tests.benchmarks.gateway $(ARGS)
	@$(BIN)/python -m tests.benchmarks.bench_library $(filter --peers,$(ARGS))
	@$(BIN)/python -m tests.benchmarks.bench_start

.venv/peers/eventsourcing/bin/python: | .venv/dev
	@$(PYTHON) -m venv --clear .venv/peers/eventsourcing
	@.venv/peers/eventsourcing/bin/python -m pip --disable-pip-version-check -qq install \
		'eventsourcing[postgres]==$(EVENTSOURCING)' 'psycopg[binary]'

.venv/peers/litellm/bin/litellm: | .venv/dev
	@$(PYTHON) -m venv --clear .venv/peers/litellm
	@.venv/peers/litellm/bin/python -m pip --disable-pip-version-check -qq install 'litellm[proxy]==$(LITELLM)'

.venv/peers/portkey/node_modules: | .venv/dev
	@mkdir -p .venv/peers/portkey
	@npm install --silent --no-fund --no-audit --prefix .venv/peers/portkey @portkey-ai/gateway@$(PORTKEY) >/dev/null

evaluate: .venv/dev ## judge every policy on recorded outcomes into docs/results.md: make evaluate DATA=FOLDER
	@$(BIN)/python -m tests.benchmarks.results $(DATA)

stress: .venv/dev ## prove that money cannot leak: make stress ARGS="--rounds 3"
	@$(BIN)/python -m tests.stress.budget $(ARGS)
	@$(BIN)/python -m tests.stress.kills

soak: .venv/dev ## load the service for ten minutes, and compare its books: make soak ARGS="--seconds 60"
	@$(BIN)/python -m tests.stress.soak $(ARGS)

hosts: .venv/dev ## cut, kill, freeze and deploy three hosts on one PostgreSQL: make hosts ARGS="--parts faults"
	@for tool in haproxy wrk; do command -v $$tool >/dev/null || if [ "$$(id -u)" = 0 ]; then \
		apt-get -qq update && apt-get -qq install -y $$tool >/dev/null; \
		else echo "$$tool is missing: install the package $$tool" >&2; exit 1; fi; done
	@$(BIN)/python -m tests.stress.hosts $(ARGS)

e2e: .venv/e2e ## ask two real local models, alone, as a chain and as an ensemble
	@$(BIN)/pytest -q tests/e2e

wheel: .venv/runtime ## build a wheel into dist
	@rm -rf build # setuptools would ship what an earlier build left there
	@$(PIP) wheel --no-deps --no-build-isolation -w dist .

clean: ## remove what make built, except the database in .data
	@rm -rf .venv build dist *.egg-info .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
