# make compare   install, run the main job on the bundled dataset, print where the report is
# make test      install, run the tests, a file of them on each core (4 at most)
# make dist      install, build the wheel and the sdist into dist/, and check what a package index would refuse
# make docs      install, build the documentation into site/ (open site/index.html; no network is needed to read it)
# make bench     install, also RecTools and RecBole into environments of their own, and measure; LOG= another log
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out/online-retail
LOG ?= online-retail
PEERS := .venv-rectools .venv-recbole

.PHONY: compare install test lint docs dist bench clean

compare: install
	$(BIN)/negsample compare online-retail --repeats 3 --set learning_rate=0.003 --jobs 2 --out $(OUT)

install: $(VENV)/.installed

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

dist: $(VENV)/.installed
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[release]'
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

bench: $(VENV)/.installed-dev $(PEERS:=/.installed)
	$(BIN)/python -m benchmarks --log $(LOG)

clean:
	rm -rf $(VENV) $(PEERS) out dist site

# pip, because it alone finds a CPU build of torch where one is provided; the same pin works from the index.
$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "negsample needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(VENV)/.installed $(VENV)/.installed-docs

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@ $(VENV)/.installed

$(PEERS:=/.installed): .venv-%/.installed: benchmarks/peers/%.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "RecBole has wheels up to Python 3.11 only; set PYTHON=")'
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --disable-pip-version-check --quiet --requirement $<
	touch $@
