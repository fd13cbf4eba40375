# make demo   run the example app and open the page that it prints
# make test   run all tests
# make lint   ruff, mypy, pyright
# make docs   build the documentation into docs/_build/html
# make bench  compare with other libraries, about ten minutes; BENCH=--quick takes one
#
# Each sets up what it needs in .venv, and again only when pyproject.toml changes.

PYTHON ?= python3
VENV ?= .venv
# e.g. SQLALCHEMY='sqlalchemy>=2.0,<2.1' VENV=.venv-sqlalchemy20
SQLALCHEMY ?= sqlalchemy
# what make test runs: folders, files, or options of pytest
TESTS ?= tests
# options of the benchmark, e.g. BENCH='--quick --peers flask-mail ours'
BENCH ?=

RUN := $(VENV)/bin/python
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(RUN) -m pip --quiet --quiet --no-input

.PHONY: demo test lint docs bench clean
.DELETE_ON_ERROR:

demo: $(VENV)/.demo
	@$(RUN) -m example_app

test: $(VENV)/.test
	@$(RUN) -m pytest -q -n auto $(TESTS)

lint: $(VENV)/.lint
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy
	@$(RUN) -m pyright --pythonpath $(RUN)

docs: $(VENV)/.docs
	@$(RUN) -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(VENV)/.bench
	@$(RUN) -m benchmarks $(BENCH)

clean:
	rm -rf .venv .venv-* docs/_build .pytest_cache .mypy_cache .ruff_cache

# One stamp for each dependency group; lint checks the tests' types too, so it needs their libraries.
$(VENV)/.demo: GROUPS = demo
$(VENV)/.test: GROUPS = test
$(VENV)/.lint: GROUPS = test lint
$(VENV)/.docs: GROUPS = docs
$(VENV)/.bench: GROUPS = bench
$(VENV)/.demo $(VENV)/.test $(VENV)/.lint $(VENV)/.docs $(VENV)/.bench: $(VENV)/.made pyproject.toml
	@echo "Installing what 'make $(patsubst .%,%,$(notdir $@))' needs into $(VENV) ..."
	@$(PIP) install --editable . "$(SQLALCHEMY)" $(patsubst %,--group %,$(GROUPS))
	@touch $@

# Dependency groups need pip 25.1.
$(VENV)/.made:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON): install Python 3.11 or newer (on Debian: apt install python3 python3-venv)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$$($(PYTHON) --version) is too old: Python 3.11 or newer is needed, e.g. make PYTHON=python3.13." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@touch $@
