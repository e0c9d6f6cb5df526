# Everything a fresh clone needs is python3 (3.11 or newer) and make.
#   make demo    the whole gateway on this machine, in one terminal
#   make test    the whole test suite
#   make check   what CI checks besides: format, lint, types, layers, the bundled policies, sizes, links
#   make docs    write docs/translation.md from the tables of the bridge
#   make bench   the measurements of bench/
# PYTHON names the interpreter of .venv, PYTEST_ARGS adds arguments, WORKERS=0 runs the tests in one process.

PYTHON ?= python3
WORKERS ?= 2
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# Errors only (-qq): warnings of a machine's own pip set-up say nothing about this project.
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check

# A stamp bears the checksum of what it stands for, so that a second run installs nothing and a changed lock installs
# again. It stands for the folder too, since a venv can't be moved: elsewhere it is made anew. dev.txt holds all of
# runtime.txt and build.txt at the same versions.
key = $(shell (pwd; cat /dev/null $(1)) | cksum | tr -d ' ')
MADE := $(VENV)/.made-$(call key,)
RUNTIME := $(VENV)/.runtime-$(call key,requirements/build.txt requirements/runtime.txt)
DEV := $(VENV)/.dev-$(call key,requirements/dev.txt)
PROJECT := $(VENV)/.project-$(call key,pyproject.toml)
SCANNERS := $(VENV)/scanners/.installed-$(call key,requirements/scanners.txt)
ISO15118 := $(VENV)/iso15118/.installed-$(call key,requirements/iso15118.txt)
NODE_MODULES := tests/interop/node_modules/.installed-$(call key,tests/interop/package-lock.json)

# The policies that come with Voltgate: what stands in policies/ without its cases.
BUNDLED = $(filter-out %.tests,$(basename $(notdir $(wildcard policies/*.yaml))))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test coverage check format docs bench venv lock interop-deps interop-iso15118 scanner-deps clean

help:
	@sed -n '2,7s/^# \{0,1\}//p' Makefile

demo: $(RUNTIME) $(PROJECT)
	$(BIN)/voltgate demo

test: $(DEV) $(PROJECT)
	$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

coverage: PYTEST_ARGS += --cov
coverage: test

check: $(DEV) $(PROJECT)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/voltgate policy check $(BUNDLED)
	$(BIN)/voltgate policy test --min-coverage 100
	$(BIN)/python -m pytest -q tests/house

format: $(DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(RUNTIME) $(PROJECT)
	$(BIN)/python -c 'from gateway.bridge.translation import page; print(page(), end="")' > docs/translation.md

bench: $(DEV) $(PROJECT)
	$(BIN)/python -m bench

venv: $(DEV) $(PROJECT)

# Newer versions within the floors of pyproject.toml: make lock UPGRADE=--upgrade
UPGRADE ?=
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --custom-compile-command "make lock" $(UPGRADE)
lock: $(DEV)
	$(COMPILE) pyproject.toml --all-extras -o requirements/dev.txt
	$(COMPILE) pyproject.toml --extra object-store --extra postgres -c requirements/dev.txt -o requirements/runtime.txt
	$(COMPILE) requirements/build.in -c requirements/dev.txt -o requirements/build.txt
	$(COMPILE) requirements/scanners.in -o requirements/scanners.txt
	$(COMPILE) requirements/iso15118.in -o requirements/iso15118.txt

# Peers from the npm registry that the interoperability tests talk to; these tests are skipped where they are missing.
interop-deps: $(NODE_MODULES)
$(NODE_MODULES): tests/interop/package-lock.json
	cd tests/interop && npm ci --no-audit --no-fund
	touch $@

# PyPI's iso15118 and a Java for its codec, which tests/interop and bench/exi.py run as a program: in a venv of its own,
# since it pins an older cryptography and pydantic.
interop-iso15118: $(ISO15118)
$(ISO15118): | $(MADE)
	$(PYTHON) -m venv --clear $(VENV)/iso15118
	@$(VENV)/iso15118/bin/python -m pip install -qq --disable-pip-version-check --require-hashes \
		-r requirements/iso15118.txt
	@touch $@

# sslyze, which tests/scanners run as a program: in a venv of its own, since it wants an older cryptography than ours.
scanner-deps: $(SCANNERS)
$(SCANNERS): | $(MADE)
	$(PYTHON) -m venv --clear $(VENV)/scanners
	@$(VENV)/scanners/bin/python -m pip install -qq --disable-pip-version-check --require-hashes \
		-r requirements/scanners.txt
	@touch $@

clean:
	rm -rf $(VENV) build dist .coverage .coverage.* htmlcov .pytest_cache .mypy_cache .ruff_cache .import_linter_cache \
		.hypothesis tests/interop/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Voltgate needs Python 3.11 or newer, and '$(PYTHON)' isn't." \
			"Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "'$(PYTHON)' can't make a virtual environment: its modules venv and ensurepip are missing." \
			"On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(RUNTIME): | $(MADE)
	@echo "Installing the locked packages into $(VENV), once: about half a minute"
	@$(PIP_INSTALL) --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	@rm -f $(VENV)/.runtime-*
	@touch $@

$(DEV): | $(MADE)
	@echo "Installing the locked packages for development into $(VENV), once: a minute or two"
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@rm -f $(VENV)/.dev-* $(VENV)/.runtime-*
	@touch $@ $(RUNTIME)

# Ordered after whichever lock the goal asks for: hatchling comes from it, so that nothing unlocked is installed.
$(PROJECT): | $(MADE)
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.project-*
	@touch $@
