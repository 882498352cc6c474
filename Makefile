# You need make and Python 3.11 to 3.13. Everything else is installed into .venv from the locks in requirements/.
PYTHON ?= python3
PORT ?= 8000
# The address of the database, S3 and SQS. An environment variable cannot set it, because the passwords are fixed.
LISTEN := 127.0.0.1

# PYTHONPATH, PYTHONHOME and similar variables of the shell are meant for other programs.
unexport $(filter PYTHON%,$(.VARIABLES))

RUN := .venv/bin/python -m
# The locks are valid for every platform and every Python that pyproject.toml allows. The oldest is 3.11.
COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --no-build --generate-hashes \
	--no-emit-index-url --annotation-style line --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# tests/conftest.py gives tests with shared, expensive fixtures to one worker, and starts the longest first.
PYTEST := $(RUN) pytest --numprocesses=2 --dist=loadscope --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help run check test test-faults bench evaluate demo-drift deploy destroy lint format sam checkov shap lock clean \
	set-up set-up-uv python env

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

# A single command, so that make starts no shell and a signal to make reaches it.
run: set-up ## Serve at http://127.0.0.1:8000 (PORT=9000: on another port)
	@$(RUN) local --port $(PORT) --listen $(LISTEN)

check: lint ## Check style, types and import directions, and run the unit tests
	@$(PYTEST) tests/unit

test: set-up ## Run all tests (REQUIRE_ALL=1: fail if a tool is missing, and measure coverage)
	@$(PYTEST) $(if $(REQUIRE_ALL),--cov --cov-report=term:skip-covered) $(TESTS)

test-faults: set-up ## Send 10,000 requests during injected faults; look for lost records
	@$(RUN) tests.faults

bench: set-up sam ## Compare the function with an empty one, into build/ (Linux)
	@$(RUN) benchmarks

evaluate: set-up ## Compare the model with simpler ones, into build/ (minutes)
	@$(RUN) training evaluate

demo-drift: set-up ## Tell how a mistake and a change are noticed, into build/demo (minutes)
	@$(RUN) local.demo

deploy: env set-up ## Deploy ENV=dev, staging or prod to AWS (YES=1: without asking)
	@$(RUN) deploy all --env $(ENV) $(if $(YES),--yes)

destroy: env set-up ## Remove ENV=dev, staging or prod from AWS, with its records
	@$(RUN) deploy destroy --env $(ENV) $(if $(YES),--yes)

lint: set-up ## Check style, types, import directions, workflows and Dockerfiles
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@.venv/bin/lint-imports
	@.venv/bin/zizmor --offline --quiet .github
	@.venv/bin/hadolint Dockerfile.lambda Dockerfile.local

format: set-up ## Format the code
	@$(RUN) ruff check --fix-only .
	@$(RUN) ruff format .

sam: ## Install SAM with its Lambda emulator, into build/sam
checkov: ## Install checkov, which checks terraform/, into build/checkov
shap: ## Install SHAP, to compare /explain with it, into build/

# With uv, because pip fails in hash mode on the extras of SAM's dependencies.
sam checkov shap: set-up
	@cmp -s requirements/$@.txt build/$@/installed.txt || { \
		echo "Setting up build/$@ (once) ..." && \
		.venv/bin/uv venv --quiet --clear --python .venv/bin/python build/$@ && \
		.venv/bin/uv pip sync --quiet --require-hashes --python build/$@/bin/python requirements/$@.txt && \
		cp requirements/$@.txt build/$@/installed.txt; }

# Deployed packages are constrained to the tested ones. The pins of SAM, checkov and SHAP conflict, so they are separate.
lock: set-up-uv ## Resolve pyproject.toml into requirements/ (UPGRADE=1: newest)
	@echo uv | $(COMPILE) - --output-file requirements/uv.txt
	@$(COMPILE) pyproject.toml --all-extras --group training --group local --group test \
		--output-file requirements/dev.txt
	@$(COMPILE) pyproject.toml --all-extras --group training --group local --constraint requirements/dev.txt \
		--output-file requirements/local.txt
	@$(COMPILE) pyproject.toml --extra litert --constraint requirements/dev.txt \
		--output-file requirements/lambda-litert.txt
	@$(COMPILE) pyproject.toml --extra tensorflow --constraint requirements/dev.txt \
		--output-file requirements/lambda-tensorflow.txt
	@$(COMPILE) pyproject.toml --extra analyse --constraint requirements/dev.txt \
		--output-file requirements/lambda-analyse.txt
	@for group in bench-client bench-bare bench-known; do \
		$(COMPILE) --group $$group --constraint requirements/dev.txt --output-file requirements/$$group.txt || exit 1; done
	@for group in sam checkov shap; do $(COMPILE) --group $$group --output-file requirements/$$group.txt || exit 1; done

clean: ## Remove .venv and the caches, but not build/
	@rm -rf .venv .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find benchmarks deploy lambda_app local problem records stacks tests training -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

set-up: python
	@$(PYTHON) local/set_up.py

set-up-uv: python
	@$(PYTHON) local/set_up.py --only-uv

env:
	@test -n "$(ENV)" || { echo "Which environment? For example: make $(or $(MAKECMDGOALS),deploy) ENV=dev" >&2; exit 1; }

# Only checks that Python can run the set-up. The set-up checks the rest, because .venv may be of another Python.
python:
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 8))" >/dev/null 2>&1 || { \
		echo "$(PYTHON) isn't Python 3.11, 3.12 or 3.13: install one, or name it, for example make PYTHON=python3.12" >&2; \
		exit 1; }
