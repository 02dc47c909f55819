# make run serves, make test tests; both install what they need into .venv first.
PYTHON ?= python3
PORT ?= 5000
EXAMPLES ?= 800
SEED ?= -1
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install run test fuzz fuzz-contract lint bench results clean

help:
	@echo "make install        the pinned packages, into $(VENV)"
	@echo "make run            the service on port $(PORT) (PORT=8080 make run for another)"
	@echo "make test           the tests"
	@echo "make fuzz           the long searches for what breaks the service"
	@echo "make lint           ruff and mypy"
	@echo "make bench          speed of inference and of the service"
	@echo "make results        the table of measured results in README.md, from the manifests"
	@echo "make train-<task>   train one task or the input-gate; ARGS='--epochs 1' is handed on"

install: $(STAMP)

# Only when the pins or the package's metadata change.
$(STAMP): requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements.txt
	@touch $@

run: $(STAMP)
	PORT=$(PORT) exec $(BIN)/python backend/server.py

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile

fuzz: fuzz-contract

# At least 20,000 requests made from the OpenAPI document, from a seed that is printed.
fuzz-contract: $(STAMP)
	$(BIN)/python -m pytest tests/backend/test_contract.py -s --contract-examples $(EXAMPLES) --contract-seed $(SEED)

lint: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy

bench: $(STAMP)
	$(BIN)/python benchmarks/explanation_cost.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/bundles.py

results: $(STAMP)
	$(BIN)/python -m ml_model.training.commands.results

train-%: $(STAMP)
	$(BIN)/python -m ml_model.training.commands.recipes $* $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
