# `make` alone lists the targets.

PYTHON ?= python3
TORCH ?= torch
LAMINA_PEERS ?= $(HOME)/.cache/lamina-peers
VENV := .venv
BIN := $(VENV)/bin
KERNELS := $(BIN)/python tools/kernels.py
# Modules are compiled when they are first imported: all of them beforehand is more than half of an
# installation. Where Python may not write what it compiled, that would be at every start.
PIP_INSTALL := $(BIN)/python -m pip install --quiet $(if $(PYTHONDONTWRITEBYTECODE),,--no-compile)

comma := ,

.DEFAULT_GOAL := help
.PHONY: help quickstart check test test-extra lint style format docs bench bench-diagnosis bench-peers kernels clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

quickstart: $(VENV)/installed ## install Lamina and watch a network learn to read digits
	@$(KERNELS) start
	$(BIN)/lamina quickstart
	@$(KERNELS) finish

# Only files with marked tests are given to pytest: loading the others takes longer than these tests.
check: lint ## lint, types and the quick tests: about a minute, for work in progress
	$(BIN)/pytest --numprocesses=logical -m quick $(PYTEST_ARGS) $(shell grep -rl --include='test_*.py' 'mark\.quick' tests)

# mypy takes a minute of one core, so it runs beside the tests; what it says comes at the end.
test: style ## everything that has to pass: style, types, tests, on all cores
	@$(KERNELS) finish
	@mkdir -p build
	@$(BIN)/mypy > build/mypy.txt 2>&1 & types=$$!; \
	$(BIN)/pytest --numprocesses=logical --dist=worksteal $(PYTEST_ARGS); tests=$$?; \
	wait $$types; types=$$?; cat build/mypy.txt; exit $$((tests | types))

# What is measured and computed without kernels is tested without them, too.
PLAIN_TESTS := tests/ops tests/families tests/training/test_cost.py tests/training/test_compilations.py

test-extra: $(VENV)/installed-dev kernels docs ## what `make test` leaves out: tests of the kernels and without them, long examples, several devices, the site
	cd kernels && ../$(BIN)/python -m pytest --numprocesses=logical $(PYTEST_ARGS)
	LAMINA_KERNELS=0 $(BIN)/pytest --numprocesses=logical $(PYTEST_ARGS) $(PLAIN_TESTS)
	$(BIN)/pytest --numprocesses=logical -m extra --ignore=tests/distribution $(PYTEST_ARGS) tests
	XLA_FLAGS=--xla_force_host_platform_device_count=8 JAX_ENABLE_X64=1 \
		$(BIN)/pytest --numprocesses=logical -m extra $(PYTEST_ARGS) tests/distribution

lint: style ## style and types
	$(BIN)/mypy

style: $(VENV)/installed-dev
	@$(KERNELS) start
	$(BIN)/ruff check
	$(BIN)/ruff format --check

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

kernels: $(VENV)/installed ## compile the kernels for CPUs and install them (needs a C++17 compiler)
	$(KERNELS) build

clean: ## remove the environment and what tools left
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# JAX comes first, since the kernels are compiled with its headers while the rest is installed. Until
# they are done, their package has no library.
define install
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) jax
	@$(KERNELS) start
	LAMINA_KERNELS_LIBRARY=omit $(PIP_INSTALL) ./kernels --editable '.[$(1)]'
	@touch $(VENV)/installed $@
endef

# A stamp is younger than pyproject.toml as long as nothing has to be installed again.
$(VENV)/installed: pyproject.toml kernels/pyproject.toml
	$(call install,data)

$(VENV)/installed-dev: pyproject.toml kernels/pyproject.toml
	$(call install,data$(comma)dev)

$(VENV)/installed-docs: $(VENV)/installed
	$(PIP_INSTALL) --editable '.[docs]'
	@touch $@

$(LAMINA_PEERS)/keras-jax/installed: PACKAGES = keras jax
$(LAMINA_PEERS)/tensorflow/installed: PACKAGES = keras tensorflow
$(LAMINA_PEERS)/torch/installed: PACKAGES = keras $(TORCH)
$(LAMINA_PEERS)/%/installed:
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet $(PACKAGES)
	@touch $@
