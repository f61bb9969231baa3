# Two commands suffice on a fresh machine with Python >= 3.11, git and make: `make demo` and `make test`.
.DEFAULT_GOAL := demo
.PHONY: setup demo test soak bench lint fix docs size lock

# Tried in this order; the first that runs, is new enough and can make a virtual environment is taken.
PYTHON ?= python3.13 python3.12 python3.11 python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
INSTALL := $(PIP) install --require-hashes --only-binary :all:
OFFLINE := { echo "make: pip could not install what is pinned in the lock file (its own words are above)"; \
	echo "make: hint: it needs a package index that it can reach and wheels for this Python and platform"; exit 1; } >&2

setup: .venv/.made

.venv/.made: requirements.lock host/pyproject.toml sdk/pyproject.toml
	@for python in $(PYTHON); do \
		"$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		echo "make: setting up .venv with $$python (once, about a minute)" >&2; \
		exec "$$python" -m venv --clear .venv; \
	done; { \
		echo "make: found no Python >= 3.11 with venv and ensurepip (tried: $(PYTHON))"; \
		echo "make: hint: on Debian and Ubuntu 'apt-get install python3-venv'; elsewhere 'make PYTHON=/path/to/python3 ...'"; \
		exit 1; } >&2
	@$(INSTALL) -r requirements.lock || $(OFFLINE)
	@$(PIP) install --no-deps --no-build-isolation --no-index -e sdk -e host
	@$(BIN)/python -m compileall -q sdk/src host/src
	@touch $@

.venv/.dev: .venv/.made requirements-dev.lock
	@$(INSTALL) -r requirements-dev.lock || $(OFFLINE)
	@touch $@

demo: setup
	@$(BIN)/pp demo

test: lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# Minutes more: whole recorded tapes, each figure recomputed by an accountant of its own; the fuzzers ten times longer.
soak: .venv/.dev
	$(BIN)/python -m pytest -m soak

# One JSON document on stdout, progress on stderr; a few minutes. ONLY="T1 T4" measures less.
bench: setup
	@$(BIN)/python -m tests.bench $(ONLY)

lint: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: .venv/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The settings' manual follows from the types; a test compares the two.
docs: setup
	$(BIN)/python -c "from pathlib import Path; from pp_host.config.manual import manual; Path('docs/CONFIG.md').write_text(manual())"

size: setup
	@$(BIN)/python tests/house/size.py

# Pins every dependency anew, with hashes and without any registry's address; needs uv.
lock: requirements.in requirements-dev.in
	for set in requirements requirements-dev; do \
		uv pip compile --upgrade --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
			--no-emit-index-url --no-emit-find-links --no-emit-package probablyprofit-sdk \
			--no-emit-package probablyprofit-host --quiet -o $$set.lock $$set.in || exit 1; \
	done
