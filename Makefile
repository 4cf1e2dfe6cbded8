# make demo   learn from half a million real events, show what was measured, answer over HTTP  (ARGS=--no-serve to stop after the table)
# make test   all tests          make check  linters, types, layers
PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: demo test check format lock bench clean

demo: .venv/base
	@$(BIN)/inkling demo $(ARGS)

test: .venv/dev
	@$(BIN)/python -m pytest $(ARGS)

check: .venv/dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: .venv/dev
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

lock: .venv/dev
	@$(BIN)/python scripts/lock.py

bench: .venv/dev
	@$(BIN)/python -m bench

clean:
	rm -rf .venv build *.egg-info out

.venv/base: requirements/base.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Inkling needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=python3.11 ...")'
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements/base.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --editable .
	@touch $@

.venv/dev: .venv/base requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements/dev.txt
	@touch $@
