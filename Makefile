# Everything runs from a virtual environment made from the lock file; nothing is installed outside it but the control
# plane's binary and, where no Go is on PATH, its toolchain (per user, under XDG_CACHE_HOME or ~/.cache).
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Processes that `make test` runs, each with a control plane of its own.
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup cluster-binary demo test score faults kill-matrix promises chaos lint format bench docs lock clean

help:
	@echo 'make demo    see a commit become a running change; DEMO_ARGS="--no-input" runs it through'
	@echo 'make test    run every test; PYTEST_ARGS="-k drift" chooses, WORKERS=1 runs one after the other'
	@echo 'make score   how usable it is, point by point, by the tests that show it; ONLY="4 7" judges some points'
	@echo 'make faults       break the API server, the network and the process, and see what becomes of a revision'
	@echo 'make kill-matrix  kill the operator at every write; ONLY="undo prune" runs a part'
	@echo 'make promises     the faults that any operator can be put to; ADAPTER=module names another one'
	@echo 'make chaos        random faults, commits and edits; SEED=… repeats one, MINUTES=… (5) says how long'
	@echo 'make lint    ruff, mypy --strict, import-linter'
	@echo 'make format  what ruff can set right by itself'
	@echo 'make bench   the figures, beside those of peers; ONLY=first_sync,… runs a part'
	@echo 'make docs    write the generated pages of docs/reference'
	@echo 'make lock    choose the dependencies anew'
	@echo 'make clean   remove what the others made in this folder'
	@echo 'PYTHON=…     the Python to use (3.11 or newer; $(PYTHON))'

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo 'make: $(PYTHON) is not on PATH: install Python 3.11, or set PYTHON=…' >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'make: $(PYTHON) is older than 3.11: set PYTHON=…' >&2; exit 2; }
	@command -v git >/dev/null || { echo 'make: git is not on PATH: install it' >&2; exit 2; }
	@echo 'setting up $(VENV) from requirements.lock' >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# Built once per user and content of devcluster/controlplane (5 to 10 minutes on two cores) and registry_server (1).
cluster-binary: $(STAMP)
	@$(BIN)/python -m devcluster build >/dev/null

demo: cluster-binary
	@$(BIN)/sluice demo $(DEMO_ARGS)

test: cluster-binary
	@$(BIN)/python -m tests.differential.go_originals
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

score: cluster-binary
	@$(BIN)/python -m tests.score $(ONLY)

faults: cluster-binary
	@$(BIN)/python -m pytest tests/property --hypothesis-profile=explore $(PYTEST_ARGS)
	@$(BIN)/python -m pytest tests/faults -m '' $(PYTEST_ARGS)

kill-matrix: cluster-binary
	@$(BIN)/python -m tests.faults.kill_matrix $(if $(ONLY),--only $(ONLY))

promises: cluster-binary
	@$(BIN)/python -m tests.faults.promises $(ADAPTER)

chaos: cluster-binary
	@$(BIN)/python -m tests.faults.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES))

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: cluster-binary
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

docs: $(STAMP)
	$(BIN)/python -m docs.generate

lock: $(STAMP)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --group dev --group build pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --constraint requirements.lock pyproject.toml --output-file deploy/requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
