# Sigmoid: `make run` tries it, `make test` runs every test. Only Python 3.11 or newer and make are needed.

BIN := .venv/bin
RUNTIME := .venv/runtime.stamp
DEV := .venv/dev.stamp
LOCKED := requirements/build.txt pyproject.toml scripts/environment
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help run setup test chaos check static bench image-check lock lock-check clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; \
		do printf '  make %-12s %s\n' "$$name" "$$text"; done

run: $(RUNTIME) ## start the service and train on real data, until Ctrl-C
	@$(BIN)/sigmoid demo

setup: $(DEV) ## create .venv with all that development needs

test: $(DEV) ## run every test
	@scripts/test-tools
	@$(BIN)/python -c "import service.worker.nursery" # compiles once what every service needs
	@$(BIN)/python -m pytest -n 2 $(ARGS)

chaos: $(DEV) ## kill, freeze and starve the service for many minutes
	@SIGMOID_CHAOS=long $(BIN)/python -m pytest tests/chaos $(ARGS)

check: static ## lint, types, import contract, migrations and the fast tests
	@$(BIN)/python -m pytest -n 2 -m "not browser and not slow" $(ARGS)

static: $(DEV)
	@scripts/static

bench: $(DEV) ## measure against scikit-learn and torch
	@$(BIN)/python -m benchmarks $(ARGS)

image-check: $(RUNTIME) ## build the container image and run it
	@scripts/image-check

lock: $(DEV) ## write the hashed requirements anew
	@$(COMPILE) $(ARGS) pyproject.toml -o requirements/runtime.txt
	@$(COMPILE) $(ARGS) pyproject.toml --extra dev -o requirements/dev.txt
	@$(COMPILE) $(ARGS) requirements/build.in -o requirements/build.txt

lock-check: $(DEV)
	@COMPILE="$(COMPILE)" scripts/lock-check

clean: ## remove the environment and all caches; data stays
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(RUNTIME): requirements/runtime.txt $(LOCKED)
	@scripts/environment runtime
	@touch $@

$(DEV): requirements/dev.txt $(LOCKED)
	@scripts/environment dev
	@touch $@ $(RUNTIME)
