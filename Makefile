# make demo   set up, start a receiver, push samples/ to it, show the stored report, keep the page open
# make test   set up, run the tests
# Both need Python 3.11, 3.12 or 3.13 and the package index, nothing else.
# make bench-quick   set up, measure beside naive Spyne and the bare limit, in two minutes; make bench: all, see bench/README.md

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
VENV ?= .venv
DEMO ?=
BENCH ?=
PYTEST ?= -n auto

.PHONY: demo test lint bench bench-quick clean
demo: $(VENV)/.installed
	$(VENV)/bin/soapsvc demo $(DEMO)

test: $(VENV)/.installed-for-tests
	$(VENV)/bin/python -m pytest $(PYTEST)

lint: $(VENV)/.installed-for-tests
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

bench: $(VENV)/.installed-for-tests
	$(VENV)/bin/python -m bench $(BENCH)

bench-quick: $(VENV)/.installed
	$(VENV)/bin/python -m bench --quick $(BENCH)

$(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[preview]'
	touch $@

$(VENV)/.installed-for-tests: $(VENV)/.installed
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
