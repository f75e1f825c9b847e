# Two commands for a newcomer: `make up` and `make test`. Only Python 3.11+ and make are needed.
PYTHON ?= python3
HOST   ?= 127.0.0.1
PORT   ?= 8000
DATA   ?= .relay
BIN    := .venv/bin
# Where the kernel can see to it, everything ends with make, however make ends.
TIED   := $(shell setpriv --pdeathsig TERM true 2>/dev/null && echo setpriv --pdeathsig TERM)

.PHONY: up test bench docs lock clean
.DEFAULT_GOAL := up

up: .venv/installed
	@RELAY_DATA_DIR="$(DATA)" exec $(TIED) $(BIN)/relay up --demo --host "$(HOST)" --port "$(PORT)"

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(ARGS)

bench: .venv/installed-dev
	$(BIN)/python -m benchmarks $(ARGS)

# The pages whose source is the code.
docs: .venv/installed
	$(BIN)/python -m docs.generate

# Needs uv. Both lists carry the hash of every file, for every platform and every Python from 3.11 on.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		-o requirements.txt pyproject.toml $(ARGS)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		-c requirements.txt -o requirements-dev.txt --group dev pyproject.toml $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Relay needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python requirements.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
