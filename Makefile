# Every developer verb; CI calls the same ones. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CARGO ?= cargo
# Every crate that makes a plugin.
PLUGINS := $(foreach name,auth-basic health json-log metrics rate-limit request-id static,-p tricorn-plugin-$(name)) \
	-p plugin-hello -p fixture-probe
# What the tests drive; `release` is what ships.
PROFILE ?= release
# That of the plugins: what the wheel has them built in.
PLUGIN_PROFILE = $(PROFILE:release=fast)

.PHONY: help abi build deploy-packages plugins reference serve test test-rust test-python lint fmt fmt-check walls bench matrix clean

help: ## List the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'

# The tools are installed anew when what they are listed in changes.
$(VENV)/.tools: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev --group test
	@touch $@

# Kept out of the environment itself: most tests are for a machine without gunicorn.
$(VENV)/.beside: pyproject.toml | $(BIN)/python
	rm -rf $(VENV)/beside
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(VENV)/beside --group beside
	@touch $@

build: $(VENV)/.tools ## Build the release into .venv/bin/tricorn, and the plugins that come with it
	. $(BIN)/activate && maturin develop --quiet --profile $(PROFILE) --locked
	CARGO="$(CARGO)" $(BIN)/python tools/backend.py $(PLUGIN_PROFILE)

serve: build ## Serve examples/apps/hello.py on 127.0.0.1:8000, with hooks that log
	cd examples && ../$(BIN)/tricorn -c conf/hooks.conf.py -b 127.0.0.1:8000 apps.hello:application

test: test-rust test-python ## Build, and pass every test

test-rust: ## The tests of the Rust crates; they need no Python
	$(CARGO) test --quiet --locked --workspace --exclude tricorn-python
	$(CARGO) test --quiet --locked -p tricorn-hooks --all-features

plugins: ## Build the first-party plugins, the examples and the tests' own, into target/debug
	$(CARGO) build --quiet --locked $(PLUGINS)

deploy-packages: ## Install the programs that the tests run: nginx, supervisor, logrotate, shells
	tools/deploy-packages

test-python: build plugins deploy-packages $(VENV)/.beside ## The tests that drive the built server over real sockets
	$(BIN)/python -m pytest -q tests

lint: $(VENV)/.tools fmt-check ## clippy, ruff and mypy, with warnings as errors
	$(CARGO) clippy --quiet --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --quiet --locked -p tricorn-hooks --all-targets --all-features -- -D warnings
	$(BIN)/ruff check --quiet
	$(BIN)/mypy

fmt: $(VENV)/.tools ## Format the Rust and the Python
	$(CARGO) fmt --all
	$(BIN)/ruff format --quiet

fmt-check: $(VENV)/.tools
	$(CARGO) fmt --all --check
	$(BIN)/ruff format --quiet --check

abi: ## Write the C header and the layout of the plugin ABI anew, if that breaks no plugin
	TRICORN_WRITE_ABI=1 $(CARGO) test --quiet --locked -p tricorn-abi

reference: ## Write docs/reference anew from the declarations of settings and hooks
	mkdir -p docs/reference
	TRICORN_WRITE_REFERENCE=1 $(CARGO) test --quiet --locked -p tricorn-server --test reference the_reference

walls: ## Check the walls that ARCHITECTURE.md draws
	$(PYTHON) tools/walls.py

bench: build ## Measure against the peers; WITH="--loads hello --rounds 3" narrows it
	benches/run $(WITH)

matrix: ## What is too long for `make test`: the tests on every Python there is
	tools/matrix

clean: ## Remove everything that was built
	rm -rf target $(VENV) .bench-venv dist
