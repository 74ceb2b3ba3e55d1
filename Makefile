# make train and make test are all the set-up that a fresh machine needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
USER   := $(VENV)/.installed
DEV    := $(VENV)/.installed-for-development
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help train test test-fast test-soak lint format types bench pictures tensorboard clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo '  ARGS="..." is handed on: make train ARGS="model=fcn trainer.epochs=10"'

# Training needs the package alone; development needs every extra, too.
$(USER): PACKAGE := .
$(DEV): PACKAGE := .[dev]
$(USER) $(DEV): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("mnist-trainer needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Use: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned dependencies into $(VENV) (a minute or two, 6 GB)..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable "$(PACKAGE)"
	@touch $@

train: $(USER) ## Train the default CNN on MNIST; ARGS takes any setting.
	@$(BIN)/mnist-train $(ARGS)

# Many tests wait for commands that they start: one worker more than cores, one thread each.
TESTS := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal

test: $(DEV) ## Run all tests.
	@$(TESTS) $(ARGS)

test-fast: $(DEV) ## Run the unit tests only.
	@$(TESTS) tests/unit $(ARGS)

test-soak: $(DEV) ## Run the long versions of the reliability tests.
	@$(BIN)/python -m pytest -m soak --timeout 3600 -o addopts="--strict-markers" $(ARGS)

lint: $(DEV) ## Check style and format.
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check

format: $(DEV) ## Bring the code into the house's format.
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

types: $(DEV) ## Check the types.
	@$(BIN)/mypy

bench: $(DEV) ## Measure what docs/speed.md shows.
	@$(BIN)/python -m benchmarks $(ARGS)

pictures: $(DEV) ## Make the pictures of the README and of docs/ anew.
	@$(BIN)/python -m docs.make_pictures
	@$(BIN)/python -m benchmarks.pictures
	@$(BIN)/python docs/foundations/make_figures.py

tensorboard: $(USER) ## Show the curves of all runs on http://localhost:6006.
	@$(BIN)/tensorboard --logdir outputs $(ARGS)

clean: ## Remove caches and build products; results and .venv stay.
	@rm -rf build dist .mypy_cache .pytest_cache .ruff_cache
	@find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
