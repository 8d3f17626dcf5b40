# Needs python3 (3.11 to 3.13) with its venv module, and make. Nothing else: everything is
# installed into .venv in this folder, from wheels, at the versions in constraints.txt.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PIP    := PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test lint slow bench office e2e docs outputs wheel clean

# The stamp holds the folder it was made for. An environment that was moved, or whose Python has
# gone, or that was never finished, has no valid stamp and is made again from nothing.
$(shell [ -x $(BIN)/python ] && [ "$$(cat $(READY) 2>/dev/null)" = "$(CURDIR)" ] || rm -f $(READY))

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## simulate a fund of social outcomes contracts, 20,000 futures
	$(BIN)/socialfinance run collective-impact-fund --paths 20000 --seed 7

test: lint ## style, types, then every test that is quick
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: $(READY) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

slow: $(READY) ## the tests that take minutes, and properties on examples drawn anew
	$(BIN)/python -m pytest -q -m slow
	$(BIN)/python -m pytest -q -n 2 --hypothesis-profile default -k "properties or pwlb or models or suppress or open_data"

bench: $(READY) ## how fast it is
	$(BIN)/python -m pytest tests/bench -q -s -m bench --benchmark-enable

office: $(READY) ## workbooks and papers opened by LibreOffice, workbooks recalculated too
	@command -v soffice >/dev/null || { echo "LibreOffice is missing: apt-get install libreoffice-calc libreoffice-writer"; exit 1; }
	$(BIN)/python -m pytest -q -m office tests/workbooks tests/papers

e2e: $(READY) ## the page in a real browser, screenshots in .e2e/
	$(BIN)/python tests/e2e/browser.py
	$(BIN)/python -m pytest tests/e2e -q -m e2e

docs: $(READY) ## the documentation as a site, in site/: a warning is an error
	@$(PIP) --only-binary :all: -c constraints.txt $$($(BIN)/python tools/dependencies.py docs)
	$(BIN)/python -m mkdocs build --strict

outputs: $(READY) ## run what README.md, docs/ and the notebooks show again, and put in what it prints
	$(BIN)/python tools/docs.py
	$(BIN)/python tools/notebooks.py

wheel: $(READY) ## dist/: source archive, and the wheel built from it
	$(BIN)/python -m build --no-isolation

clean: ## remove what was built or cached (not .venv)
	rm -rf dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find socialfinance tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

# Dependencies come as wheels only, so no compiler is needed. The project itself is installed last,
# with the build tool already there, so that nothing is fetched outside constraints.txt.
$(READY): pyproject.toml constraints.txt
	@sh tools/check_python.sh "$(PYTHON)"
	@if [ -e $@ ]; then rm -f $@; else rm -rf $(VENV); \
	  "$(PYTHON)" -m venv $(VENV) || exec sh tools/check_python.sh "$(PYTHON)" failed; fi
	@echo "Installing into $(VENV): a minute or two, once."
	@$(BIN)/python tools/dependencies.py > $(VENV)/dependencies.txt
	@$(PIP) --only-binary :all: -c constraints.txt -r $(VENV)/dependencies.txt || \
	  { echo "The packages could not be fetched. Is there a network? PIP_INDEX_URL names an index of your own."; exit 1; }
	@$(PIP) --no-deps --no-build-isolation -e .
	@echo "$(CURDIR)" > $@
