# make run serves, make test tests; both install what they need into .venv first.
PYTHON ?= python3
PORT ?= 5000
FUZZ_MINUTES ?= 30
EXAMPLES ?= 800
SEED ?= -1
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help install run test lint fuzz fuzz-contract fuzz-replay audit bench soak results clean

help:
	@echo "make install        the pinned packages, into $(VENV)"
	@echo "make run            the service on port $(PORT) (PORT=8080 make run for another)"
	@echo "make test           the tests"
	@echo "make lint           ruff, mypy, bandit, hadolint, compose-lint"
	@echo "make fuzz           20,000 requests by the contract, damaged files to every parser, to keeping and to a server; FUZZ_MINUTES=5 for less"
	@echo "make audit          committed secrets, dist/sbom.json, known vulnerabilities (asks the network)"
	@echo "make bench          speed of inference and of the service"
	@echo "make soak           ten times the load for a minute, 200 slow clients, 100 kills while clients write; on a machine that does nothing else"
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
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# At least 20,000 requests made from the OpenAPI document, from a seed that is printed.
fuzz-contract: $(STAMP)
	$(BIN)/python -m pytest tests/backend/test_contract.py -s --contract-examples $(EXAMPLES) --contract-seed $(SEED)

lint: $(STAMP)
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive backend ml_model
	$(BIN)/hadolint Dockerfile
	$(BIN)/compose-lint compose.yaml

# FUZZ_MINUTES are of computing, in two processes; then 670 requests for each of them. It ends with 1 on any finding,
# whose files are in fuzz-findings/.
fuzz: export PYTHONPATH := tests/support
fuzz: export FUZZ_EXAMPLES := 5000
fuzz: $(STAMP) fuzz-contract
	$(BIN)/python -m pytest tests/fuzzing
	$(BIN)/python -m fuzzing.campaign --minutes $(FUZZ_MINUTES) $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))

fuzz-replay: export PYTHONPATH := tests/support
fuzz-replay: $(STAMP)
	$(BIN)/python -m fuzzing.campaign --replay $(CASE)

# The bundles are not searched for secrets: they are full of hashes. pip-audit asks a service on the network, and fails
# where it gets no answer.
audit: $(STAMP)
	git ls-files -z -- . ':!ml_model/models' | xargs -0 $(BIN)/detect-secrets-hook --no-verify
	mkdir -p dist
	$(BIN)/cyclonedx-py environment --output-reproducible --of JSON --output-file dist/sbom.json $(BIN)/python
	$(BIN)/pip-audit --strict --progress-spinner off --skip-editable

bench: $(STAMP)
	$(BIN)/python benchmarks/explanation_cost.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/bundles.py
	$(BIN)/python benchmarks/hostile_files.py
	$(BIN)/python benchmarks/symptom_requests.py
	$(BIN)/python benchmarks/records/batches.py

soak: export PYTHONPATH := tests/support
soak: $(STAMP)
	$(BIN)/python benchmarks/soak_overload.py
	$(BIN)/python benchmarks/soak_slow_clients.py
	$(BIN)/python -m records.kills

results: $(STAMP)
	$(BIN)/python -m ml_model.training.commands.results

train-%: $(STAMP)
	$(BIN)/python -m ml_model.training.commands.recipes $* $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis dist fuzz-findings
