# Everything runs in .venv, made from requirements.lock on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The lock pins every package by hash; pip's own progress bar is noise in a log.
PIP := $(BIN)/pip --disable-pip-version-check -q
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help benchmark reproduce serve test check debian-packages lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV) (once, a few minutes) ..."
	@$(PIP) install --require-hashes --no-deps -r requirements.lock # the lock is whole: pip has nothing to resolve
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

benchmark: $(READY) ## run the default benchmark on the embedded cohort (ARGS="--preset smoke" for a quick look)
	@$(BIN)/crlm benchmark $(ARGS)

reproduce: $(READY) ## repeat the paper's whole analysis on the embedded cohort, number by number beside print
	@$(BIN)/crlm reproduce $(ARGS)

serve: $(READY) ## start Prefect's server and worker and the MLflow UI on this machine (Ctrl-C stops them)
	@$(BIN)/crlm serve $(ARGS)

# Tests that re-run R are skipped, with a word, where it cannot be installed.
debian-packages:
	@command -v Rscript >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing R for the tests that re-run it ..."; \
	    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends r-base-core r-cran-survival; } >/dev/null 2>&1 \
	      || echo "R could not be installed: the tests that re-run it are skipped."; \
	  else echo "R is not installed: the tests that re-run it are skipped."; fi; }

test: $(READY) debian-packages ## run all tests (ARGS="-m 'not slow'" for the quick ones)
	@$(BIN)/pytest -n auto --dist loadfile --cov --cov-report=term:skip-covered $(ARGS)

check: $(READY) ## ruff, mypy --strict, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

lock: $(READY) ## resolve requirements.lock anew (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.lock

clean: ## remove the environment and caches, never results
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
