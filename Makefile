# Needs make and Python 3.11 or later, nothing else. Each target sets up what it needs in .venv.

PYTHON ?= $(shell for p in python3 python python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PYTEST_ARGS ?= -n 2 --dist loadfile

.PHONY: help demo test check bench kills clean

help:
	@echo "make demo   a staffing plan for a made-up ICB, from installation to finished folder"
	@echo "make test   all tests (official files too, where NEEDSALLOC_DATA names their folder)"
	@echo "make check  ruff and mypy"
	@echo "make bench  time and memory of the larger runs"
	@echo "make fuzz   each reader on files changed at random, led by coverage where atheris installs"
	@echo "make kills  kill reports and downloads at hundreds of moments, and look at what is left"
	@echo "make clean  remove .venv and what the tools leave behind"

demo: .venv/ready
	$(BIN)/needsalloc demo

test: .venv/ready-to-develop
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: .venv/ready-to-develop
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/ready-to-develop
	$(BIN)/python benchmarks/run.py

kills: .venv/ready-to-develop
	$(BIN)/python tests/kills.py

fuzz: .venv/ready-to-develop
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check "atheris>=2.3"
	$(BIN)/python benchmarks/fuzz.py $(FUZZ_ARGS)

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

# The stamps are newer than pyproject.toml, so a second call installs nothing and a changed list of
# dependencies installs again.
.venv/python:
	@test -n "$(PYTHON)" || { echo "needsalloc needs Python 3.11 or later: install it, or run make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/ready: .venv/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[all]"
	@touch $@

.venv/ready-to-develop: .venv/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@
