# `make` alone lists the targets.

PYTHON ?= python3
TORCH ?= torch
LAMINA_PEERS ?= $(HOME)/.cache/lamina-peers
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help quickstart check test test-extra lint format docs bench bench-diagnosis bench-peers compiler kernels clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

quickstart: $(VENV)/installed ## install Lamina and watch a network learn to read digits
	$(BIN)/lamina quickstart

# Only files with marked tests are given to pytest: loading the others takes longer than these tests.
check: lint ## lint, types and the quick tests: about a minute, for work in progress
	$(BIN)/pytest --numprocesses=logical -m quick $(PYTEST_ARGS) $(shell grep -rl --include='test_*.py' 'mark\.quick' tests)

test: lint ## everything that has to pass: lint, types, tests, on all cores
	$(BIN)/pytest --numprocesses=logical --dist=worksteal $(PYTEST_ARGS)

test-extra: $(VENV)/installed-dev kernels docs ## what `make test` leaves out: kernels built from source and tests with them, long examples, several devices, the site
	cd kernels && ../$(BIN)/python -m pytest --numprocesses=logical $(PYTEST_ARGS)
	$(BIN)/pytest --numprocesses=logical -m extra --ignore=tests/distribution $(PYTEST_ARGS) tests
	XLA_FLAGS=--xla_force_host_platform_device_count=8 JAX_ENABLE_X64=1 \
		$(BIN)/pytest --numprocesses=logical -m extra $(PYTEST_ARGS) tests/distribution

lint: $(VENV)/installed-dev ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/installed-dev ## mend what style can be mended by a tool
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/installed-docs ## the site of guides and reference, searchable, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/installed ## Lamina and its installed peers on every workload: docs/performance.md
	$(BIN)/python benchmarks/run_all.py $(BENCH_ARGS)

# With BENCH_ARGS=--short, all of it in some minutes, into a page in build/ that nobody reads.
DIAGNOSIS_NAME := build/diagnosis$(if $(findstring --short,$(BENCH_ARGS)),-short)
DIAGNOSIS_PAGE := $(if $(findstring --short,$(BENCH_ARGS)),build/diagnosis-short.md,docs/diagnosis.md)
DIAGNOSIS_PICTURES := $(if $(findstring --short,$(BENCH_ARGS)),build/diagnosis-short,docs/diagnosis)
DIAGNOSIS_PYTHON := $(BIN)/python benchmarks/diagnosis

bench-diagnosis: $(VENV)/installed ## faults in healthy programs, and what diagnosis says: docs/diagnosis.md (hours; needs LAMINA_DATASETS; BENCH_ARGS=--short: minutes)
	mkdir -p build
	test $(DIAGNOSIS_PAGE) -ef docs/diagnosis.md || cp docs/diagnosis.md $(DIAGNOSIS_PAGE)
	$(DIAGNOSIS_PYTHON)/run.py --level full --out $(DIAGNOSIS_NAME).jsonl $(BENCH_ARGS)
	$(DIAGNOSIS_PYTHON)/examples.py --out $(DIAGNOSIS_NAME).jsonl $(BENCH_ARGS)
	$(DIAGNOSIS_PYTHON)/run.py --level notes --seeds 6 --only healthy --out $(DIAGNOSIS_NAME).jsonl $(BENCH_ARGS)
	$(DIAGNOSIS_PYTHON)/advice.py $(DIAGNOSIS_NAME).jsonl --out $(DIAGNOSIS_NAME)-advice.jsonl $(BENCH_ARGS)
	$(DIAGNOSIS_PYTHON)/table.py $(DIAGNOSIS_NAME).jsonl --advice $(DIAGNOSIS_NAME)-advice.jsonl --page $(DIAGNOSIS_PAGE) $(BENCH_ARGS)
	$(DIAGNOSIS_PYTHON)/calibrate.py $(DIAGNOSIS_NAME).jsonl --page $(DIAGNOSIS_PAGE) $(BENCH_ARGS)
	$(DIAGNOSIS_PYTHON)/cost.py --page $(DIAGNOSIS_PAGE) $(BENCH_ARGS)
	$(DIAGNOSIS_PYTHON)/data_flaws.py $(BENCH_ARGS)
	$(DIAGNOSIS_PYTHON)/pictures.py --folder $(DIAGNOSIS_PICTURES) $(BENCH_ARGS)

bench-peers: $(addprefix $(LAMINA_PEERS)/,keras-jax/installed tensorflow/installed torch/installed) ## environments for the peers, outside the repository

compiler:
	@for name in "$(CXX)" g++ clang++ c++; do command -v "$$name" >/dev/null && exit 0; done; \
	echo 'The kernels need a C++17 compiler, and there is none here. Fix: install g++ or clang++.' >&2; exit 1

kernels: compiler $(VENV)/installed ## build and install the optional compiled kernels (needs a C++17 compiler)
	$(BIN)/python -m pip install --quiet scikit-build-core cmake ninja
	$(BIN)/python -m pip install --no-build-isolation ./kernels

clean: ## remove the environment and what tools left
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# A stamp is younger than pyproject.toml as long as nothing has to be installed again.
$(VENV)/installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[data]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	@touch $@

$(LAMINA_PEERS)/keras-jax/installed: PACKAGES = keras jax
$(LAMINA_PEERS)/tensorflow/installed: PACKAGES = keras tensorflow
$(LAMINA_PEERS)/torch/installed: PACKAGES = keras $(TORCH)
$(LAMINA_PEERS)/%/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet $(PACKAGES)
	@touch $@
