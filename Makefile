# Two commands: `make demo` and `make test`. Everything they need is installed into .venv from hashed requirements.
# `make reliability` tries every crash point and writes docs/reliability.md, `make mutants` breaks one rule at a time and
# fails if no test notices, `make soak` kills at random for longer (SOAK_SEED=n for other dice). `make bench` measures the
# features beside their peers, which it installs into build/bench; `make bench-check` fails if a ratio fell.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check reliability mutants soak bench bench-check requirements clean

demo: $(VENV)/.run
	$(BIN)/python examples/demo.py

# The tests start hundreds of short processes: each would compile the sources anew.
test: export PYTHONDONTWRITEBYTECODE =
test: check
	$(BIN)/pytest -n 2 --dist worksteal

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

reliability: $(VENV)/.dev
	$(BIN)/python tests/reliability/report.py

mutants: $(VENV)/.dev
	$(BIN)/python tests/mutants/run.py

soak: $(VENV)/.dev
	RELIABILITY=soak $(BIN)/pytest -n 2 --dist worksteal --durations=0 tests/crash

bench: $(VENV)/.dev build/bench/pyqlib/.ready
	$(BIN)/python benchmarks/run.py

bench-check: $(VENV)/.dev build/bench/pyqlib/.ready
	$(BIN)/python benchmarks/run.py --check

build/bench/pyqlib/.ready: benchmarks/peers/pyqlib.txt
	$(PYTHON) -m venv build/bench/pyqlib
	build/bench/pyqlib/bin/python -m pip install --quiet -r benchmarks/peers/pyqlib.txt
	touch $@

$(VENV)/.run: requirements/run.txt pyproject.toml examples/set_up.py
	$(PYTHON) examples/set_up.py run

$(VENV)/.dev: requirements/dev.txt pyproject.toml examples/set_up.py
	$(PYTHON) examples/set_up.py dev

requirements:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --extra sample --group build pyproject.toml -o requirements/run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --extra sample --extra cluster --group dev pyproject.toml -o requirements/dev.txt

clean:
	rm -rf $(VENV) build dist
