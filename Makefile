# `make demo` and `make test` set up all they need. PYTHON names the interpreter to build .venv from.
PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
JSON ?=
PORT ?=
POSTGRES ?=
export DAGSTER_TELEMETRY_ENABLED ?= false
export MLFLOW_DISABLE_TELEMETRY ?= true
export GX_ANALYTICS_ENABLED ?= false

.PHONY: setup demo demo-assistant ui test test-slow test-postgres chaos test-spark check lock bench clean
.DELETE_ON_ERROR:

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

# With POSTGRES=1 on a Postgres from wheels, set up as in deploy/.
demo ui: export AIGUARD_EXAMPLE_POSTGRES = $(POSTGRES)

demo: $(STAMP)
	$(RUN) -m examples.bike_demand.demo $(if $(JSON),--json "$(JSON)")

demo-assistant: $(STAMP)
	$(RUN) -m examples.assistant.demo $(if $(JSON),--json "$(JSON)")

ui: $(STAMP)
	$(RUN) -m examples.ui $(if $(PORT),-p $(PORT))

PYTEST = $(RUN) -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test: $(STAMP)
	$(PYTEST) -m "not spark and not chaos and not slow"

# Whole demos, real daemons, killed processes, months of days.
test-slow: $(STAMP)
	$(PYTEST) -m "slow and not spark and not chaos"

# All that touches Dagster's storage, with that storage in a Postgres.
test-postgres: $(STAMP)
	$(PYTEST) -m "not spark and not chaos" --postgres tests/adapters/dagster tests/orchestration tests/test_daemon.py

# Kills and breaks real processes for half an hour, and prints what was tried, survived and lost.
chaos: $(STAMP)
	$(RUN) -m pytest tests/chaos -p no:randomly -q

# The same checks on Spark; needs Java 17 or later on the path.
test-spark: $(VENV)/.spark
	@java -version > /dev/null 2>&1 || { echo "Spark needs Java 17 or later: install a JDK, such as openjdk-17-jre-headless"; exit 1; }
	$(RUN) -m pytest -m spark

$(VENV)/.spark: $(STAMP) requirements-spark.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-spark.lock
	touch $(VENV)/.spark

check: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports --no-cache

bench: $(STAMP)
	$(RUN) benchmarks/import_cost.py
	$(RUN) -m benchmarks.quality

# Writes the lock anew from pyproject.toml; needs uv on the path.
COMPILE = uv pip compile --universal --python-version 3.11 --generate-hashes \
  --no-strip-extras --no-emit-index-url --no-emit-find-links --no-annotate --no-header
lock:
	$(COMPILE) pyproject.toml --extra dev --extra example -o requirements.lock
	$(COMPILE) pyproject.toml --all-extras -c requirements.lock -o requirements-spark.lock

clean:
	rm -rf $(VENV) .demo .demo-postgres .mypy_cache .ruff_cache .pytest_cache
