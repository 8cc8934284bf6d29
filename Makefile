# Everything happens in .venv, which is made once and remade when a pin changes.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
TORCH  := $(shell sed -n 's/^torch==//p' constraints.txt)
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: help demo test lint bench format clean
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@echo "weighin: setting up $(VENV) (PyTorch, TensorFlow, MLflow, ...: about 5 GB, a few minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "weighin needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@echo "weighin: PyTorch, the CPU build (from PyTorch's own index if it can be reached)"
	@$(BIN)/python -m pip install --quiet --no-deps --retries 0 --timeout 10 --index-url $(TORCH_INDEX) torch==$(TORCH) 2>/dev/null \
	  || $(BIN)/python -m pip install --quiet --no-deps torch==$(TORCH)
	@echo "weighin: everything else, pinned by constraints.txt"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --group dev --editable ".[plugin]"
	@touch $@

# What tests need from npm: GitHub's API description, a validating proxy, accessibility rules.
NODE_READY := tests/node/node_modules/.ready
$(NODE_READY): tests/node/package.json tests/node/package-lock.json
	@if command -v npm >/dev/null; then \
	  (cd tests/node && npm ci --silent --no-audit --no-fund --ignore-scripts) && touch $@ \
	  || echo "npm could not install tests/node: tests that need it are skipped"; \
	else echo "npm is not installed: tests that need it are skipped"; fi

demo: $(READY) ## Train, register, weigh, release and pull two small models into ./demo.
	$(BIN)/weighin demo --dir demo

test: $(READY) $(NODE_READY) ## Run every test, the slow real-model flows included.
	$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

lint: $(READY) ## Style, types and the import contract.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/lint-imports

format: $(READY) ## Let ruff repair what it can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Measure every figure and write docs/benchmarks.md.
	$(BIN)/python tests/benchmarks/all.py

clean: ## Remove the environment and the demo folder.
	rm -rf $(VENV) demo
