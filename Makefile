# Everything installs into ./.venv; a stamp file keeps that from being repeated. One thread: the lab's models are so small
# that several wait for one another, twenty times as long as they work where another program wants a core.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TRANSFORMERS ?= '==5.20.0' '>=5.20'
OF_TRANSFORMERS := tests/framework/backbones tests/framework/bridges tests/framework/engine tests/strategies/learned \
	tests/test_pipeline_options.py
export HYDRA_FULL_ERROR ?= 0
export TOKENIZERS_PARALLELISM ?= false

.PHONY: help demo test versions check lint format types bench clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## *' '{printf "  make %-8s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is too old: Python 3.11 or newer is needed. Name one: make PYTHON=python3.12 ..."; exit 2; }
	@echo "installing into ./$(VENV): some minutes, once"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)  ## render a long video, ask five questions, show who finds the answers
	OMP_NUM_THREADS=1 $(BIN)/python -m experiments.demo

test: lint $(STAMP)  ## lint, types and all tests (CPU, offline)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

versions: $(STAMP)  ## backbones, bridges and pipelines with the oldest and the newest transformers
	@for wanted in $(TRANSFORMERS); do \
		rm -rf build/transformers; \
		$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --target build/transformers \
			"transformers$$wanted" || exit 1; \
		echo "transformers$$wanted:" && PYTHONPATH=$(CURDIR)/build/transformers OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto \
			--dist worksteal $(OF_TRANSFORMERS) || exit 1; \
	done

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## let ruff rewrite the files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## all methods by one protocol, docs/results/yardstick.md again (hours)
	$(BIN)/python -m experiments.yardstick

clean:  ## remove the environment and caches; results in outputs/ stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
